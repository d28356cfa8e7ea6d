import type { Reader } from '../database.ts'

/** What can be ordered now: on hand less what is held by reservations whose time is not up. For a variant row `v`. */
export const availableSql = `coalesce((
  select s.on_hand - coalesce((
    select sum(r.quantity) from pantry.reservation r
    where r.variant_id = s.variant_id and r.state = 'held' and r.expires_at > clock_timestamp()
  ), 0)::int
  from pantry.stock s where s.variant_id = v.id
), 0)`

/** Variants that are not there are left out; those without a stock row have nothing. */
export async function listAvailable(tx: Reader, variantIds: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await tx.query<{ id: string; available: number }>({
    name: 'inventory_available',
    text: `select v.id, ${availableSql} as available from pantry.variant v where v.id = any($1::uuid[])`,
    values: [variantIds],
  })
  return new Map(rows.map((row) => [row.id, row.available]))
}
