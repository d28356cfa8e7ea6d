import type pg from 'pg'
import { demand, type Person } from './people.ts'
import { readBooks } from './read-books.ts'
import type { Shop } from './start-shop.ts'

interface Asked {
  readonly id: string
  readonly orderId: string
  readonly gateway: string
  readonly amount: { readonly amount: number }
  readonly attention?: { readonly because: 'refund_unknown' | 'refund_failed' }
}

/**
 * The administrator who is asked whether money went back, because nobody else can tell, or because its refund was turned down:
 * looks it up at the gateway, in its own list of transactions, and says so. Answers how many questions there were.
 */
export async function answerRefunds(shop: Shop, sql: pg.Pool, admin: Person): Promise<number> {
  const at = shop.urls[0]!
  const path = '/api/admin/payments?state=needs_attention&limit=50'
  const { items } = await demand<{ items: readonly Asked[] }>(admin.send(at, 'GET', path), 200)
  const asked = items.filter(({ attention }) => attention !== undefined)
  if (asked.length === 0) return 0
  const { byOrder } = await readBooks(shop)
  for (const { id, orderId } of asked) {
    const { rows } = await sql.query<{ left: number; others: number }>(
      `select case when captured_amount > 0 then captured_amount - refunded_amount else amount end::int as left,
          (select coalesce(sum(o.captured_amount - o.refunded_amount), 0)::int from pantry.payment o
            where o.order_id = p.order_id and o.id <> p.id) as others
        from pantry.payment p where p.id = $1`,
      [id],
    )
    const taken = byOrder.get(orderId) ?? { captured: 0, refunded: 0 }
    const returned = taken.captured - taken.refunded - rows[0]!.others < rows[0]!.left
    const body = { returned, note: 'as the list of transactions says' }
    await admin.send(at, 'POST', `/api/admin/payments/${id}/resolve-refund`, body)
  }
  return asked.length
}
