import type { FastifyReply } from 'fastify'
import { refuse } from 'safepoint'
import { eventStream, type StreamEvent } from 'safepoint/fastify'
import type { Identity } from '../accounts/accounts.ts'

/** Streams that one account may have open at one server. Tabs of one browser share one. */
export const streamLimit = 20

/** Open streams by HTTP server and account. */
const open = new WeakMap<object, Map<string, number>>()

/**
 * Answers with an account's server-sent events until the client leaves, the server closes, `open` has nothing more to tell or
 * the token ends that the stream was opened with; the client comes back with a new one. `begin` runs before the answer begins:
 * what it throws is still a problem with a status. Throws `too_many_streams`.
 */
export async function accountStream(
  reply: FastifyReply,
  { accountId, expiresAt }: Identity,
  begin: () => Source | Promise<Source>,
): Promise<void> {
  const leave = enter(reply.server.server, accountId)
  try {
    const source = await begin()
    await eventStream(reply, (left) =>
      source(AbortSignal.any([left, AbortSignal.timeout(Math.max(0, expiresAt * 1000 - Date.now()))])),
    )
  } finally {
    leave()
  }
}

export type Source = (signal: AbortSignal) => AsyncIterable<StreamEvent>

function enter(server: object, accountId: string): () => void {
  const counts = open.get(server) ?? new Map<string, number>()
  open.set(server, counts)
  const count = counts.get(accountId) ?? 0
  if (count >= streamLimit)
    throw refuse('too_many_streams', 'Too many streams are open.', {
      retryable: true,
      retryAfterMs: 10_000,
      details: { limit: streamLimit },
    })
  counts.set(accountId, count + 1)
  return () => {
    const left = counts.get(accountId)! - 1
    if (left === 0) counts.delete(accountId)
    else counts.set(accountId, left)
  }
}
