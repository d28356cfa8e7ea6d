import type { Reader } from '../database.ts'

// What the shop holds of one account, as JSON that PostgreSQL makes: it is passed on as it is. No statement reads a hash, and tokens
// and a gateway's secrets stand in none of these columns.

/** ISO 8601 in UTC. */
const utc = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

const address = (a: string) => `
  jsonb_strip_nulls(jsonb_build_object('id', ${a}.id, 'name', ${a}.name, 'line1', ${a}.line1, 'line2', ${a}.line2, 'city', ${a}.city,
    'region', ${a}.region, 'postalCode', ${a}.postal_code, 'country', ${a}.country, 'phone', ${a}.phone,
    'createdAt', ${utc(`${a}.created_at`)}, 'updatedAt', ${utc(`${a}.updated_at`)}, 'deletedAt', ${utc(`${a}.deleted_at`)}))`

const money = (amount: string, currency: string) => `jsonb_build_object('amount', ${amount}, 'currency', ${currency})`

const payment = `
  jsonb_strip_nulls(jsonb_build_object('id', p.id, 'gateway', p.gateway, 'status', p.status, 'amount', ${money('p.amount', 'p.currency')},
    'captured', p.captured_amount, 'refunded', p.refunded_amount, 'gatewayReference', p.gateway_reference, 'declineCode', p.decline_code,
    'createdAt', ${utc('p.created_at')}, 'updatedAt', ${utc('p.updated_at')}))
  || jsonb_build_object('history', (select coalesce(jsonb_agg(jsonb_build_object('from', h.from_status, 'to', h.to_status,
      'at', ${utc('h.at')}) order by h.seq), '[]') from pantry.payment_history h where h.payment_id = p.id))`

const order = `
  jsonb_strip_nulls(jsonb_build_object('id', o.id, 'cartId', o.cart_id, 'status', o.status, 'reason', o.reason, 'note', o.note,
    'fulfilment', o.fulfilment, 'total', ${money('o.total', 'o.currency')}, 'shippingAddress', o.shipping_address,
    'billingAddress', o.billing_address, 'reservedUntil', ${utc('o.reserved_until')}, 'createdAt', ${utc('o.created_at')},
    'updatedAt', ${utc('o.updated_at')}))
  || jsonb_build_object(
    'items', (select coalesce(jsonb_agg(jsonb_build_object('productId', l.product_id, 'variantId', l.variant_id, 'name', l.name,
      'quantity', l.quantity, 'unitPrice', ${money('l.unit_price', 'o.currency')}) order by l.position), '[]')
      from pantry.order_line l where l.order_id = o.id),
    'history', (select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('to', h.to_status, 'reason', h.reason, 'note', h.note,
        'at', ${utc('h.at')},
        'by', case h.actor when o.account_id::text then 'customer' else case when h.actor is null then 'shop' else 'staff' end end))
        || jsonb_build_object('from', h.from_status) order by h.seq), '[]')
      from pantry.order_history h where h.order_id = o.id),
    'payments', (select coalesce(jsonb_agg(${payment} order by p.id), '[]') from pantry.payment p where p.order_id = o.id))`

const cart = `
  jsonb_build_object('id', c.id, 'state', c.state, 'createdAt', ${utc('c.created_at')}, 'updatedAt', ${utc('c.updated_at')},
    'items', (select coalesce(jsonb_agg(jsonb_build_object('productId', v.product_id, 'variantId', i.variant_id,
        'name', pr.name || ', ' || v.name, 'quantity', i.quantity, 'addedAt', ${utc('i.created_at')}) order by i.id), '[]')
      from pantry.cart_item i join pantry.variant v on v.id = i.variant_id join pantry.product pr on pr.id = v.product_id
      where i.cart_id = c.id))`

const mail = `
  jsonb_strip_nulls(jsonb_build_object('id', m.id, 'template', m.template, 'to', m.recipient, 'locale', m.locale, 'state', m.state,
    'orderId', m.data -> 'orderId', 'failure', m.failure, 'createdAt', ${utc('m.created_at')}, 'sentAt', ${utc('m.sent_at')}))
  || jsonb_build_object('tries', (select coalesce(jsonb_agg(jsonb_build_object('outcome', t.outcome, 'reply', t.reply,
      'at', ${utc('t.at')}) order by t.round), '[]') from pantry.mail_try t where t.mail_id = m.id))`

/** The profile; `undefined`: the account is closed. */
export async function findExportedProfile(reader: Reader, accountId: string): Promise<string | undefined> {
  const { rows } = await reader.query<{ json: string }>({
    name: 'accounts_export_profile',
    text: `select jsonb_build_object('id', a.id, 'email', a.email, 'name', a.name, 'role', a.role, 'locale', a.locale,
        'version', a.version, 'createdAt', ${utc('a.created_at')}, 'updatedAt', ${utc('a.updated_at')})::text as json
      from pantry.account a where a.id = $1::uuid and a.closed_at is null`,
    values: [accountId],
  })
  return rows[0]?.json
}

interface Section {
  readonly json: string
  /** What a page of it is ordered by and goes on after: unique in the account. */
  readonly place: string
  /** Default: uuid. */
  readonly type?: 'uuid' | 'text'
  readonly from: string
}

/** Lists of the export, in its order. */
const sections = {
  sessions: {
    json: `jsonb_strip_nulls(jsonb_build_object('id', s.id, 'createdAt', ${utc('s.created_at')}, 'expiresAt', ${utc('s.expires_at')},
      'endedAt', ${utc('s.revoked_at')}, 'endedBecause', s.revoked_because))`,
    place: 's.id',
    from: 'pantry.session s where s.account_id = $1::uuid',
  },
  passwordResets: {
    json: `jsonb_strip_nulls(jsonb_build_object('askedAt', ${utc('r.created_at')}, 'expiresAt', ${utc('r.expires_at')},
      'usedAt', ${utc('r.used_at')}))`,
    place: 'r.id',
    from: 'pantry.password_reset r where r.account_id = $1::uuid',
  },
  addresses: { json: address('a'), place: 'a.id', from: 'pantry.address a where a.account_id = $1::uuid' },
  wishlist: {
    json: `jsonb_build_object('productId', w.product_id, 'name', p.name, 'addedAt', ${utc('w.added_at')})`,
    place: 'w.product_id',
    from: 'pantry.wish w join pantry.product p on p.id = w.product_id where w.account_id = $1::uuid',
  },
  carts: { json: cart, place: 'c.id', from: 'pantry.cart c where c.account_id = $1::uuid' },
  orders: { json: order, place: 'o.id', from: 'pantry.orders o where o.account_id = $1::uuid' },
  mails: { json: mail, place: 'm.id', from: 'pantry.mail m where m.account_id = $1::uuid' },
  operations: {
    json: `jsonb_strip_nulls(jsonb_build_object('key', o.key, 'operation', o.name, 'state', o.state, 'reason', o.reason,
      'endedAt', ${utc('o.ended_at')}, 'undoneAt', ${utc('o.undone_at')}))`,
    place: 'o.key',
    type: 'text',
    from: `safepoint.operation o where o.scope = 'user:' || $1::uuid`,
  },
  cancelEvents: {
    json: `jsonb_strip_nulls(jsonb_build_object('key', e.key, 'operation', e.operation_name, 'outcome', e.outcome, 'state', e.state,
      'noop', e.noop, 'reason', e.reason, 'sent', e.payload, 'at', ${utc('e.at')}))`,
    place: 'e.id',
    from: `safepoint.cancel_event e where e.scope = 'user:' || $1::uuid`,
  },
} as const satisfies Record<string, Section>

export type ExportSection = keyof typeof sections
export const exportSections = Object.keys(sections) as readonly ExportSection[]

/** One page of a list, each entry as JSON; `after`: the place of the last one before it. */
export async function listExported(
  reader: Reader,
  section: ExportSection,
  page: { readonly accountId: string; readonly after: string | undefined; readonly limit: number },
): Promise<{ readonly place: string; readonly json: string }[]> {
  const { json, place, type = 'uuid', from }: Section = sections[section]
  const { rows } = await reader.query<{ place: string; json: string }>({
    name: `accounts_export_${section}`,
    text: `select (${place})::text as place, (${json})::text as json from ${from}
      and ($2::${type} is null or ${place} > $2::${type}) order by ${place} limit $3::int`,
    values: [page.accountId, page.after ?? null, page.limit],
  })
  return rows
}
