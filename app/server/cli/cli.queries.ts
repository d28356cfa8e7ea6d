import type { Reader } from '../database.ts'

/** The account of an address, closed ones left out. */
export async function findAccountId(reader: Reader, emailKey: string): Promise<string | undefined> {
  const { rows } = await reader.query<{ id: string }>({
    name: 'cli_account',
    text: 'select id from pantry.account where email_key = $1::text and closed_at is null',
    values: [emailKey],
  })
  return rows[0]?.id
}

export interface NamedVariant {
  readonly id: string
  readonly sku: string
  readonly product: string
  readonly variant: string
  readonly archived: boolean
}

/** By id, or by SKU: then the one that is sold comes first. */
export async function findVariants(
  reader: Reader,
  { id, sku }: { readonly id: string | undefined; readonly sku: string },
): Promise<NamedVariant[]> {
  const { rows } = await reader.query<NamedVariant>({
    name: 'cli_variant',
    text: `select v.id, v.sku, p.name as product, v.name as variant, p.archived_at is not null or v.archived_at is not null as archived
      from pantry.variant v join pantry.product p on p.id = v.product_id
      where v.id = $1::uuid or v.sku = $2::text
      order by (v.id = $1::uuid) is true desc, v.archived_at is not null, v.id desc`,
    values: [id ?? null, sku],
  })
  return rows
}

export interface CancelEvent {
  readonly id: string
  readonly at: Date
  readonly actor: string | null
  /** Of the account that is the actor. */
  readonly email: string | null
  readonly scope: string
  readonly key: string
  readonly operation: string | null
  readonly outcome: string
  readonly state: string
  readonly noop: boolean
  readonly reason: string | null
}

/** The latest first. */
export async function listCancelEvents(reader: Reader, limit: number): Promise<CancelEvent[]> {
  const { rows } = await reader.query<CancelEvent>({
    name: 'cli_cancel_events',
    text: `select e.id, e.at, e.actor, a.email, e.scope, e.key, e.operation_name as operation, e.outcome, e.state, e.noop, e.reason
      from safepoint.cancel_event e left join pantry.account a on a.id::text = e.actor
      order by e.at desc, e.id desc limit $1::int`,
    values: [limit],
  })
  return rows
}
