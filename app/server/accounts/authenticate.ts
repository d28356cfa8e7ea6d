import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { refuse, type Caller } from 'safepoint'
import type { Pantry } from '../pantry.ts'
import { scopeOf, type Identity } from './accounts.ts'
import { findLiveSession, type LiveSession } from './accounts.queries.ts'
import { endedByClosing } from './ended-sessions.queries.ts'
import { rememberEndedSessions, type EndedSessions } from './ended-sessions.ts'

interface Known {
  readonly identity: Identity
  readonly ended: EndedSessions
  /** What the session and its account are now, which the token cannot know. */
  readonly lookUp: () => Promise<LiveSession | undefined>
  readonly endedByClosing: () => Promise<boolean>
}

type Shown = Known | { readonly error: unknown } | undefined

const shown = new WeakMap<FastifyRequest, Shown>()

/** Reads the bearer token of each request. What is wrong with it is told where an account is needed, not on open routes. */
export function authenticate(app: FastifyInstance, { tokens, database, safepoint: { bus } }: Pantry): void {
  const ended = rememberEndedSessions({ database, bus })
  app.addHook('onRequest', async (request) => {
    const token = /^Bearer ([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined) return
    shown.set(
      request,
      await tokens.verifyAccess(token).then(
        (identity) => ({
          identity,
          ended,
          lookUp: () => findLiveSession(database, identity.sessionId),
          endedByClosing: () => endedByClosing(database, identity.sessionId),
        }),
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
  return knownOf(request).identity
}

function knownOf(request: FastifyRequest): Known {
  const found = shown.get(request)
  if (!found) throw refuse('unauthenticated', 'This needs an access token.')
  if ('error' in found) throw found.error
  return found
}

/** On whose behalf operations run; throws `unauthenticated`. */
export function caller(request: FastifyRequest): Caller {
  const { accountId } = identityOf(request)
  return { scope: scopeOf(accountId), actor: accountId }
}

/**
 * A hook for routes that need an account: 401 before anything is read or stored, also where the session has ended and its token
 * has not: by logging out, a new password, a token shown twice, or the closing of the account. A stream ends with the session.
 */
export async function requireAccount(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { identity, ended } = knownOf(request)
  if (await ended.has(identity.sessionId)) throw refuse('unauthenticated', 'This session has ended.')
  if (request.routeOptions.url?.endsWith('/events')) {
    const { raw } = reply
    // Cut, so that the client comes back and is told why.
    raw.once(
      'close',
      ended.onEnd(identity.sessionId, () => raw.destroy()),
    )
  }
}

/**
 * The same, for closing an account and asking after it: the session that its closing has ended passes too, so that whoever lost the
 * answer is told it by repeating the request.
 */
export async function requireAccountOrClosed(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { identity, ended, endedByClosing: byClosing } = knownOf(request)
  if ((await ended.has(identity.sessionId)) && (await byClosing())) return
  await requireAccount(request, reply)
}

/** A hook for the engine's own routes: a closed account's operations can be asked after and cancelled, and not undone. */
export async function requireOwner(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const undoes = request.routeOptions.url?.endsWith('/undo')
  await (undoes ? requireAccount : requireAccountOrClosed)(request, reply)
}

/**
 * A hook for routes of the administration: 401 without a valid token, 403 for an account that is no administrator. The token's
 * word is not enough, because it was true up to 15 minutes ago: an administrator who was logged out, closed or demoted
 * is refused at once.
 */
export async function requireAdmin(request: FastifyRequest): Promise<void> {
  const { identity, lookUp } = knownOf(request)
  if (identity.role !== 'admin') throw refuse('forbidden', 'This needs an administrator.')
  const session = await lookUp()
  if (!session) throw refuse('unauthenticated', 'This session has ended.')
  if (session.role !== 'admin') throw refuse('forbidden', 'This account is no administrator any more.')
}
