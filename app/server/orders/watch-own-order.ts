import type { StreamEvent } from 'safepoint/fastify'
import { isId } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { findOrder } from './orders.queries.ts'
import type { viewWithHistory } from './orders.schema.ts'
import { watchOrder } from './watch-order.ts'

/** What `GET /api/orders/:id/events` tells, of an order of this account. `undefined`: it has no such order. */
export async function watchOwnOrder(
  pantry: Pick<Pantry, 'database' | 'safepoint'>,
  { id, accountId }: { readonly id: string; readonly accountId: string },
): Promise<((signal: AbortSignal) => AsyncIterable<ReturnType<typeof viewWithHistory>>) | undefined> {
  if (!isId(id) || !(await findOrder(pantry.database, id, accountId))) return undefined
  return async function* (signal) {
    for await (const { data } of watchOrder(pantry, id, signal) as AsyncIterable<StreamEvent>)
      yield data as ReturnType<typeof viewWithHistory>
  }
}
