import type { SqlTransaction } from 'safepoint'
import type { AddressSnapshot } from './orders.ts'

/** A copy of one of the account's own addresses. */
export async function findAddressSnapshot(
  tx: SqlTransaction,
  id: string,
  accountId: string,
): Promise<AddressSnapshot | undefined> {
  const { rows } = await tx.query<{
    name: string
    line1: string
    line2: string | null
    city: string
    region: string | null
    postal_code: string
    country: string
    phone: string | null
  }>({
    name: 'orders_address',
    text: `select name, line1, line2, city, region, postal_code, country, phone from pantry.address
      where id = $1::uuid and account_id = $2::uuid and deleted_at is null`,
    values: [id, accountId],
  })
  const row = rows[0]
  if (!row) return undefined
  return {
    name: row.name,
    line1: row.line1,
    ...(row.line2 !== null && { line2: row.line2 }),
    city: row.city,
    ...(row.region !== null && { region: row.region }),
    postalCode: row.postal_code,
    country: row.country,
    ...(row.phone !== null && { phone: row.phone }),
  }
}
