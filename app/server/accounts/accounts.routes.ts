import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { refuse, type AnyOperation } from 'safepoint'
import { languageOf } from 'safepoint/fastify'
import { z } from 'zod'
import { documentedRead, parseRequest, sendUnder } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { emailKeyOf, emailScopeOf, refreshGrace, sessionScopeOf } from './accounts.ts'
import { findAccount, findCredentials, findTokenStanding, type TokenStanding } from './accounts.queries.ts'
import { credentials, presentedToken, registration, signedIn, user, userOf } from './accounts.schema.ts'
import { findIdentity, identityOf, requireAccount, requireAccountOrClosed } from './authenticate.ts'
import { changeProfile } from './change-profile.ts'
import { closeAccount } from './close-account.ts'
import { endSession } from './end-session.ts'
import { exportRoute } from './export.routes.ts'
import type { openSession } from './open-session.ts'
import { hashPassword, verifyPassword } from './passwords.ts'
import { passwordsRoutes } from './passwords.routes.ts'
import type { registerAccount } from './register-account.ts'
import type { rotateSession } from './rotate-session.ts'

export interface AccountOperations {
  readonly registerAccount: ReturnType<typeof registerAccount>
  readonly openSession: ReturnType<typeof openSession>
  readonly rotateSession: ReturnType<typeof rotateSession>
}

export function accountsRoutes(app: FastifyInstance, pantry: Pantry, operations: AccountOperations): void {
  const { database, tokens, safepoint } = pantry
  const tags = ['people']
  const bodyOf = (schema: z.ZodType) => {
    const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input' })
    return json
  }
  const emailScope = (request: FastifyRequest) => ({ scope: emailScopeOf(emailIn(request)) })
  /** Passwords are in no fingerprint: a hash that is quick to make is quick to guess from. */
  const taggedPassword = (request: FastifyRequest) => {
    const { email, password, ...rest } = request.body as Record<string, unknown>
    return {
      ...rest,
      email: emailKeyOf(String(email)),
      password: tokens.tagPassword(emailKeyOf(String(email)), String(password)),
    }
  }

  app.operation({
    method: 'POST',
    url: '/api/auth/register',
    operation: operations.registerAccount,
    key: 'optional',
    config: { limit: 'auth' },
    scope: emailScope,
    fingerprintOf: taggedPassword,
    input: async (request) => {
      const { email, name, password } = parseRequest(registration, request.body)
      const locale = languageOf(request.headers['accept-language'])
      return { email, name, passwordHash: await hashPassword(password), locale }
    },
    schema: {
      summary: 'Make an account',
      tags,
      security: [],
      body: bodyOf(registration),
      response: signedIn,
      status: 201,
    },
  })

  app.operation({
    method: 'POST',
    url: '/api/auth/login',
    operation: operations.openSession,
    key: 'optional',
    config: { limit: 'auth' },
    scope: emailScope,
    fingerprintOf: taggedPassword,
    input: async (request) => {
      const { email, password } = parseRequest(credentials, request.body)
      const stored = await findCredentials(database, emailKeyOf(email))
      const right = await verifyPassword(stored?.passwordHash, password)
      if (!right || !stored) throw refuse('credentials_invalid', 'No account has this address and password.')
      return { accountId: stored.id, credentialVersion: stored.credentialVersion }
    },
    schema: { summary: 'Log in', tags, security: [], body: bodyOf(credentials), response: signedIn },
  })

  app.operation({
    method: 'POST',
    url: '/api/auth/refresh',
    operation: operations.rotateSession,
    key: (request) => `rotate ${createHash('sha256').update(presented(request).token).digest('base64url')}`,
    scope: async (request) => {
      const { standing } = await rememberStanding(request)
      if (standing.usedFor !== null && standing.usedFor > refreshGrace) {
        await end(standing.sessionId, 'token_reused')
        throw refuse('token_reused', 'This token had been exchanged before.')
      }
      return { scope: sessionScopeOf(standing.sessionId), actor: standing.accountId }
    },
    fingerprintOf: () => null,
    input: (request) => {
      const { tokenId, standing } = presented(request)
      return { tokenId, sessionId: standing.sessionId }
    },
    schema: {
      summary: 'Exchange a refresh token',
      tags,
      security: [],
      body: bodyOf(presentedToken),
      response: signedIn,
    },
  })

  app.operation({
    method: 'POST',
    url: '/api/auth/logout',
    operation: endSession as AnyOperation,
    key: (request) => `logout ${presented(request).standing.sessionId}`,
    scope: async (request) => {
      const { standing } = rememberOwnSession(request) ?? (await rememberStanding(request, { live: false }))
      return { scope: sessionScopeOf(standing.sessionId), actor: standing.accountId }
    },
    fingerprintOf: () => null,
    input: (request) => ({ sessionId: presented(request).standing.sessionId, because: 'logout' as const }),
    schema: {
      summary: 'Log out on this device',
      description: 'Ends the session of the refresh token; without a body that of the access token.',
      tags,
      security: [],
      body: bodyOf(presentedToken.partial()),
      status: 204,
    },
  })

  app.get(
    '/api/me',
    { ...documentedRead({ summary: 'Who I am', tags, response: user, tagged: true }), onRequest: requireAccount },
    async (request, reply) => {
      const account = await findAccount(database, identityOf(request).accountId)
      if (!account) throw refuse('unauthenticated', 'This account is closed.')
      return sendUnder(reply, `"${account.version}"`, JSON.stringify(userOf(account)))
    },
  )

  app.operation({
    method: 'PATCH',
    url: '/api/me',
    operation: changeProfile,
    key: 'optional',
    onRequest: requireAccount,
    schema: { summary: 'Change my profile', tags, response: user },
  })

  app.operation({
    method: 'DELETE',
    url: '/api/me',
    operation: closeAccount,
    key: 'optional',
    onRequest: requireAccountOrClosed,
    schema: {
      summary: 'Close my account',
      description:
        'Erases the person: name, e-mail address, password, addresses, wishlist, carts. Orders stay for the books without them, and so does the billing address of what was paid. Ends every session at once; the e-mail address can be registered anew.',
      tags,
      status: 204,
    },
  })

  passwordsRoutes(app, pantry)
  exportRoute(app, pantry)

  interface Presented {
    readonly token: string
    readonly tokenId: string
    readonly standing: TokenStanding
  }
  const shown = new WeakMap<FastifyRequest, Presented>()
  const presented = (request: FastifyRequest) => shown.get(request)!

  /** Looks the token up once a request, before anything else: 401 leaves no row. */
  async function rememberStanding(request: FastifyRequest, { live = true } = {}): Promise<Presented> {
    const { refreshToken } = parseRequest(presentedToken, request.body)
    const tokenId = tokens.readRefreshToken(refreshToken)
    const standing = tokenId === undefined ? undefined : await findTokenStanding(database, tokenId)
    if (tokenId === undefined || !standing || (live && !standing.live))
      throw refuse('token_invalid', 'This token is not valid.')
    const found = { token: refreshToken, tokenId, standing }
    shown.set(request, found)
    return found
  }

  /** Of who shows no refresh token, but is known by the access token. */
  function rememberOwnSession(request: FastifyRequest): Presented | undefined {
    const identity = isNothing(request.query) && isNothing(request.body) ? findIdentity(request) : undefined
    if (!identity) return undefined
    const { sessionId, accountId } = identity
    const found = { token: '', tokenId: '', standing: { sessionId, accountId, live: true, usedFor: null } }
    shown.set(request, found)
    return found
  }

  async function end(sessionId: string, because: 'token_reused'): Promise<void> {
    await safepoint.run(endSession, { sessionId, because }, { scope: sessionScopeOf(sessionId), key: because })
  }
}

const isNothing = (part: unknown): boolean =>
  typeof part === 'object' ? !Array.isArray(part) && Object.keys(part ?? {}).length === 0 : part === undefined

function emailIn(request: FastifyRequest): string {
  return parseRequest(z.looseObject({ email: z.string().min(1).max(254) }), request.body).email
}
