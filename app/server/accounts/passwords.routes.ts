import type { FastifyInstance, FastifyRequest } from 'fastify'
import { refuse } from 'safepoint'
import type { z } from 'zod'
import { jsonSchema, parseRequest } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { emailKeyOf, emailScopeOf } from './accounts.ts'
import { passwordChange, passwordForgotten, passwordReset } from './accounts.schema.ts'
import { identityOf, requireAccount } from './authenticate.ts'
import { changePassword } from './change-password.ts'
import { findCredentialsOf } from './passwords.queries.ts'
import { hashPassword, verifyPassword } from './passwords.ts'
import { requestPasswordReset } from './request-password-reset.ts'
import { resetPassword } from './reset-password.ts'

/** Passwords that are forgotten, replaced, changed. */
export function passwordsRoutes(app: FastifyInstance, { database, tokens }: Pantry): void {
  const tags = ['people']
  const bodyOf = (schema: z.ZodType) => jsonSchema(schema, 'input')

  app.operation({
    method: 'POST',
    url: '/api/auth/password/forgot',
    operation: requestPasswordReset,
    key: 'optional',
    config: { limit: 'auth' },
    scope: (request) => ({ scope: emailScopeOf(parseRequest(passwordForgotten, request.body).email) }),
    fingerprintOf: (request) => ({ email: emailKeyOf(parseRequest(passwordForgotten, request.body).email) }),
    input: (request) => parseRequest(passwordForgotten, request.body),
    schema: {
      summary: 'Have a link to a new password sent; the same answer whatever the address',
      tags,
      security: [],
      body: bodyOf(passwordForgotten),
      status: 202,
    },
  })

  /** Throws `reset_invalid` for what was not made here; nothing is stored of it. */
  const resetOf = (request: FastifyRequest) => {
    const { token, password } = parseRequest(passwordReset, request.body)
    const resetId = tokens.readResetToken(token)
    if (resetId === undefined) throw refuse('reset_invalid', 'This link is not good any more.')
    return { resetId, password }
  }

  app.operation({
    method: 'POST',
    url: '/api/auth/password/reset',
    operation: resetPassword,
    key: 'optional',
    config: { limit: 'auth' },
    scope: (request) => ({ scope: `reset:${resetOf(request).resetId}` }),
    // Passwords are in no fingerprint: a hash that is quick to make is quick to guess from.
    fingerprintOf: (request) => {
      const { resetId, password } = resetOf(request)
      return { resetId, password: tokens.tagPassword(resetId, password) }
    },
    input: async (request) => {
      const { resetId, password } = resetOf(request)
      return { resetId, passwordHash: await hashPassword(password) }
    },
    schema: {
      summary: 'Choose a new password by the link; ends every session',
      tags,
      security: [],
      body: bodyOf(passwordReset),
      status: 204,
    },
  })

  app.operation({
    method: 'POST',
    url: '/api/me/password',
    operation: changePassword,
    key: 'optional',
    config: { limit: 'auth' },
    onRequest: requireAccount,
    fingerprintOf: (request) => {
      const { accountId } = identityOf(request)
      const { currentPassword, newPassword } = parseRequest(passwordChange, request.body)
      return {
        current: tokens.tagPassword(accountId, currentPassword),
        next: tokens.tagPassword(accountId, newPassword),
      }
    },
    input: async (request) => {
      const { accountId, sessionId } = identityOf(request)
      const { currentPassword, newPassword } = parseRequest(passwordChange, request.body)
      const stored = await findCredentialsOf(database, accountId)
      const right = await verifyPassword(stored?.passwordHash, currentPassword)
      return {
        credentialVersion: right && stored ? stored.credentialVersion : null,
        passwordHash: await hashPassword(newPassword),
        sessionId,
      }
    },
    schema: {
      summary: 'Change my password; ends my other sessions',
      tags,
      body: bodyOf(passwordChange),
      status: 204,
    },
  })
}
