import { operationHref, readPathKey } from 'safepoint/fastify'
import { scopeOf } from '../accounts/accounts.ts'
import { watchCart } from '../cart/watch-cart.ts'
import { watchOwnOrder } from '../orders/watch-own-order.ts'
import type { Pantry } from '../pantry.ts'

/** What is told of a topic, from how it stands now. */
export type TopicStream = (signal: AbortSignal) => AsyncIterable<object>

/** A code says why there is nothing to be told: another account's things are as unknown as what has never been. */
export type OpenedTopic = TopicStream | { readonly unknown: string }

interface TopicKind {
  /** Whether it is named with an id, as `order:<id>` is. */
  readonly named: boolean
  /** The data are those of the resource's own stream. `id` is empty where it is not named. */
  open(pantry: Pantry, of: { readonly accountId: string; readonly id: string }): Promise<OpenedTopic>
}

/** Every kind of topic. One more is an entry here; the domain decides whose it is and what is told. */
export const topicKinds = {
  cart: {
    named: false,
    open:
      async ({ database, safepoint: { bus } }, { accountId }) =>
      (signal) =>
        watchCart({ bus, database, accountId, signal }),
  },
  /** By its key, in the account's own scope: a key of somebody else is one that was never used here. */
  operation: {
    named: true,
    async open({ safepoint }, { accountId, id }) {
      const key = readPathKey(id)
      const href = `${operationHref('/api/operations', key)}/undo`
      return async function* (signal) {
        for await (const view of safepoint.watch(scopeOf(accountId), key, { signal })) {
          const undoable = 'undo' in view && view.undo?.available
          yield undoable ? { ...view, undo: { ...view.undo, href } } : view
        }
      }
    },
  },
  order: {
    named: true,
    open: async (pantry, { accountId, id }) =>
      (await watchOwnOrder(pantry, { accountId, id })) ?? { unknown: 'order_not_found' },
  },
} as const satisfies Record<string, TopicKind>

export interface Topic {
  /** As the client wrote it. */
  readonly name: string
  readonly kind: keyof typeof topicKinds
  readonly id: string
}

/** `undefined`: it is none. An id is percent-encoded, since one may hold a comma. */
export function readTopic(name: string): Topic | undefined {
  const [, kind = '', encoded] = /^([a-z]+)(?::(.+))?$/s.exec(name) ?? []
  if (!isTopicKind(kind) || topicKinds[kind].named !== (encoded !== undefined)) return undefined
  try {
    return { name, kind, id: decodeURIComponent(encoded ?? '') }
  } catch {
    return undefined
  }
}

const isTopicKind = (kind: string): kind is keyof typeof topicKinds => Object.hasOwn(topicKinds, kind)
