import type { Reader } from '../database.ts'
import { levelOf, type StockLevel } from './inventory.ts'

/** What is held of a stock row `s` by reservations whose time is not up. */
export const reservedSql = `coalesce((
  select sum(r.quantity) from pantry.reservation r
  where r.variant_id = s.variant_id and r.state = 'held' and r.expires_at > clock_timestamp()
), 0)::int`

/** Of the variants that have a stock row. */
export async function listStockLevels(tx: Reader, variantIds: readonly string[]): Promise<Map<string, StockLevel>> {
  const { rows } = await tx.query<{ id: string; onHand: number; reserved: number }>({
    name: 'inventory_levels',
    text: `select s.variant_id as id, s.on_hand as "onHand", ${reservedSql} as reserved
      from pantry.stock s where s.variant_id = any($1::uuid[])`,
    values: [variantIds],
  })
  return new Map(rows.map((row) => [row.id, levelOf(row)]))
}

/** Makes the stock rows of new variants, with nothing in them. */
export async function insertStock(tx: Reader, variantIds: readonly string[]): Promise<void> {
  await tx.query({
    name: 'inventory_insert',
    text: 'insert into pantry.stock (variant_id) select unnest($1::uuid[]) on conflict do nothing',
    values: [variantIds],
  })
}
