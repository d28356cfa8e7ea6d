import type { FastifyInstance, FastifyRequest } from 'fastify'
import { refuse, type Caller } from 'safepoint'
import { scopeOf, type Identity } from './accounts.ts'
import type { Tokens } from './tokens.ts'

type Shown = { readonly identity: Identity } | { readonly error: unknown } | undefined

const shown = new WeakMap<FastifyRequest, Shown>()

/** Reads the bearer token of each request. What is wrong with it is told where an account is needed, not on open routes. */
export function authenticate(app: FastifyInstance, tokens: Tokens): void {
  app.addHook('onRequest', async (request) => {
    const token = /^Bearer ([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined) return
    shown.set(
      request,
      await tokens.verifyAccess(token).then(
        (identity) => ({ identity }),
        (error: unknown) => ({ error }),
      ),
    )
  })
}

/** Whose request it is, where its token says so. */
export function findIdentity(request: FastifyRequest): Identity | undefined {
  const found = shown.get(request)
  return found && 'identity' in found ? found.identity : undefined
}

/** Whose request it is; throws `unauthenticated`. */
export function identityOf(request: FastifyRequest): Identity {
  const found = shown.get(request)
  if (!found) throw refuse('unauthenticated', 'This needs an access token.')
  if ('error' in found) throw found.error
  return found.identity
}

/** On whose behalf operations run; throws `unauthenticated`. */
export function caller(request: FastifyRequest): Caller {
  const { accountId } = identityOf(request)
  return { scope: scopeOf(accountId), actor: accountId }
}

/** A hook for routes that need an account: 401 before anything is read or stored. */
export async function requireAccount(request: FastifyRequest): Promise<void> {
  identityOf(request)
}
