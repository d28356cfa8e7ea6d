import type { SqlTransaction } from 'safepoint'
import { emailKeyOf } from '../accounts/accounts.ts'
import type { Reader } from '../database.ts'
import { orderOf, orderSelect, type OrderRow } from './orders.queries.ts'
import type { Order, OrderReason, OrderStatus } from './orders.ts'

export interface OrderFilter {
  readonly status?: OrderStatus | undefined
  /** Of the account, in any spelling that reaches it. */
  readonly email?: string | undefined
  readonly limit: number
  /** The last id of the page before. */
  readonly after?: string | undefined
}

export interface OrderOfAccount {
  readonly order: Order
  readonly customer: { readonly id: string; readonly email: string; readonly name: string }
}

/** Of all accounts, the latest first. One statement a combination of filters, so that each is planned for what it filters by. */
export async function listOrdersOfAll(reader: Reader, filter: OrderFilter): Promise<OrderOfAccount[]> {
  const { status, email, limit, after } = filter
  const { rows } = await reader.query<OrderRow & { customer: OrderOfAccount['customer'] }>({
    name: `orders_list_all${status ? '_status' : ''}${email === undefined ? '' : '_email'}`,
    text: `select found.*, json_build_object('id', a.id, 'email', a.email, 'name', a.name) as customer
      from (
        ${orderSelect}
        where ($1::uuid is null or o.id < $1::uuid)
          and ${status ? 'o.status = $3::text' : '$3::text is null'}
          and ${email === undefined ? '$4::text is null' : 'o.account_id in (select id from pantry.account where email_key = $4::text)'}
        order by o.id desc limit $2::int
      ) found join pantry.account a on a.id = found.account_id
      order by found.id desc`,
    values: [after ?? null, limit, status ?? null, email === undefined ? null : emailKeyOf(email)],
  })
  return rows.map((row) => ({ order: orderOf(row).order, customer: row.customer }))
}

/** Sends a paid order on its way; `false` when it is not, or no longer, one that could go. */
export async function markShipped(tx: SqlTransaction, id: string): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'orders_ship',
    text: `update pantry.orders set fulfilment = 'shipped'
      where id = $1::uuid and status = 'completed' and fulfilment = 'none' and closing_by is null`,
    values: [id],
  })
  return rowCount === 1
}

/** What happened to an order without a change of its status. Its row is locked by whoever has just changed something of it. */
export async function rememberEvent(
  tx: SqlTransaction,
  id: string,
  event: { readonly reason: OrderReason; readonly note?: string | undefined; readonly actor: string | undefined },
): Promise<void> {
  await tx.query({
    name: 'orders_remember',
    text: `insert into pantry.order_history (order_id, seq, from_status, to_status, reason, note, actor)
      select o.id, (select max(seq) + 1 from pantry.order_history h where h.order_id = o.id), o.status, o.status, $2::text, $3::text, $4::text
      from pantry.orders o where o.id = $1::uuid`,
    values: [id, event.reason, event.note ?? null, event.actor ?? null],
  })
}
