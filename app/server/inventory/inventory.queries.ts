import type { Reader } from '../database.ts'
import { levelOf, type MovementKind, type StockLevel } from './inventory.ts'
import { reservedSql } from './stock-levels.ts'

export interface Movement {
  readonly id: string
  readonly delta: number
  readonly kind: MovementKind
  /** In the words of who moved it; else the same as `kind`. */
  readonly reason: string
  readonly orderId?: string
  readonly operationId?: string
  readonly actor?: string
  readonly at: string
}

interface MovementRow {
  readonly id: string
  readonly delta: number
  readonly kind: MovementKind
  readonly order_id: string | null
  readonly operation_id: string | null
  readonly actor: string | null
  readonly note: string | null
  readonly at: Date
  /** To the microsecond: the place in the list. */
  readonly place: string
}

export interface MovementPage {
  readonly items: readonly Movement[]
  /** Time and id of the last one, where there are more. */
  readonly next: readonly [at: string, id: string] | undefined
}

/** The latest first. */
export async function listMovements(
  tx: Reader,
  asked: { readonly variantId: string; readonly limit: number; readonly after: readonly [string, string] | undefined },
): Promise<MovementPage> {
  const { rows } = await tx.query<MovementRow>({
    name: 'inventory_movements',
    text: `
      select m.id, m.delta, m.reason as kind, m.order_id, m.operation_id, m.actor, m.note, m.at,
        to_char(m.at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as place
      from pantry.stock_movement m
      where m.variant_id = $1::uuid and ($2::timestamptz is null or (m.at, m.id) < ($2::timestamptz, $3::uuid))
      order by m.at desc, m.id desc limit $4::int`,
    values: [asked.variantId, asked.after?.[0] ?? null, asked.after?.[1] ?? null, asked.limit + 1],
  })
  const page = rows.slice(0, asked.limit)
  const last = page.at(-1)
  return {
    items: page.map((row) => ({
      id: row.id,
      delta: row.delta,
      kind: row.kind,
      reason: row.note ?? row.kind,
      ...(row.order_id !== null && { orderId: row.order_id }),
      ...(row.operation_id !== null && { operationId: row.operation_id }),
      ...(row.actor !== null && { actor: row.actor }),
      at: row.at.toISOString(),
    })),
    next: rows.length > asked.limit && last ? [last.place, last.id] : undefined,
  }
}

export interface StockRow extends StockLevel {
  readonly variantId: string
  readonly productId: string
  readonly sku: string
  readonly product: string
  readonly variant: string
}

export interface StockListing {
  /** Only where less than this can be ordered; `undefined`: all. */
  readonly below: number | undefined
  readonly limit: number
  /** What can be ordered, and the variant, of the last one of the page before. */
  readonly after: readonly [available: number, variantId: string] | undefined
}

/** What is sold, with the least at hand first. */
export async function listStock(tx: Reader, { below, limit, after }: StockListing): Promise<StockRow[]> {
  const { rows } = await tx.query<Omit<StockRow, 'available'>>({
    name: 'inventory_list',
    text: `
      with level as (
        select v.id as "variantId", p.id as "productId", v.sku, p.name as product, v.name as variant,
          s.on_hand as "onHand", ${reservedSql} as reserved
        from pantry.stock s
        join pantry.variant v on v.id = s.variant_id and v.archived_at is null
        join pantry.product p on p.id = v.product_id and p.archived_at is null
      )
      select * from level
      where ($1::int is null or "onHand" - reserved < $1::int)
        and ($2::int is null or ("onHand" - reserved, "variantId") > ($2::int, $3::uuid))
      order by "onHand" - reserved, "variantId" limit $4::int`,
    values: [below ?? null, after?.[0] ?? null, after?.[1] ?? null, limit],
  })
  return rows.map((row) => ({ ...row, ...levelOf(row) }))
}

/** Whether there is, or was, such a variant. */
export async function hasStock(tx: Reader, variantId: string): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'inventory_has',
    text: 'select from pantry.stock where variant_id = $1::uuid',
    values: [variantId],
  })
  return rowCount === 1
}
