import type { StreamEvent } from 'safepoint/fastify'
import type { Pantry } from '../pantry.ts'
import { findOrder, listOrderHistory } from './orders.queries.ts'
import { orderTopic } from './orders.ts'
import { viewWithHistory } from './orders.schema.ts'

/** A signal that got lost delays an event by no more than this, in milliseconds. */
const pollEvery = 2000

/** The order now, and at each change of it or of its payment, until `signal` fires. */
export async function* watchOrder(
  { database, safepoint }: Pick<Pantry, 'database' | 'safepoint'>,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  let wake: () => void = () => {}
  let stale = true
  const changed = () => {
    stale = true
    wake()
  }
  const unsubscribe = safepoint.bus.subscribe(orderTopic(id), changed)
  const ungap = safepoint.bus.onGap(changed)
  signal.addEventListener('abort', changed, { once: true })
  let told = ''
  try {
    while (!signal.aborted) {
      stale = false
      const found = await findOrder(database, id)
      if (!found) return
      const { version, payment } = found.order
      const mark = `${version}.${payment?.id ?? ''}.${payment?.status ?? ''}`
      if (mark !== told) {
        told = mark
        yield {
          event: 'order',
          id: String(version),
          data: viewWithHistory(found.order, await listOrderHistory(database, id)),
        }
      }
      if (stale || signal.aborted) continue
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollEvery)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  } finally {
    unsubscribe()
    ungap()
  }
}
