import { uuidv7, type SqlTransaction } from 'safepoint'
import type { Reader } from '../database.ts'
import type { Address, AddressFields } from './addresses.ts'

interface AddressRow {
  id: string
  name: string
  line1: string
  line2: string | null
  city: string
  region: string | null
  postal_code: string
  country: string
  phone: string | null
  version: number
}

const columns = 'a.id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone, a.version'

const addressOf = (row: AddressRow): Address => ({
  id: row.id,
  name: row.name,
  line1: row.line1,
  ...(row.line2 !== null && { line2: row.line2 }),
  city: row.city,
  ...(row.region !== null && { region: row.region }),
  postalCode: row.postal_code,
  country: row.country,
  ...(row.phone !== null && { phone: row.phone }),
  version: row.version,
})

const fieldsOf = (address: AddressFields) => [
  address.name,
  address.line1,
  address.line2 ?? null,
  address.city,
  address.region ?? null,
  address.postalCode,
  address.country,
  address.phone ?? null,
]

export async function listAddresses(tx: Reader, accountId: string): Promise<Address[]> {
  const { rows } = await tx.query<AddressRow>({
    name: 'addresses_list',
    text: `select ${columns} from pantry.address a where a.account_id = $1::uuid and a.deleted_at is null order by a.id`,
    values: [accountId],
  })
  return rows.map(addressOf)
}

/** Of one account; `deleted` tells of one that was there. */
export async function findAddress(
  tx: Reader,
  accountId: string,
  id: string,
): Promise<{ address: Address; deleted: boolean } | undefined> {
  const { rows } = await tx.query<AddressRow & { deleted: boolean }>({
    name: 'addresses_find',
    text: `select ${columns}, a.deleted_at is not null as deleted from pantry.address a where a.id = $1::uuid and a.account_id = $2::uuid`,
    values: [id, accountId],
  })
  return rows[0] && { address: addressOf(rows[0]), deleted: rows[0].deleted }
}

/** The new address, or the equal one that was there. `undefined`: that one was deleted in the same moment. */
export async function insertAddress(
  tx: SqlTransaction,
  accountId: string,
  fields: AddressFields,
): Promise<{ address: Address; made: boolean } | undefined> {
  const { rows } = await tx.query<AddressRow>({
    name: 'addresses_insert',
    text: `
      insert into pantry.address as a (id, account_id, name, line1, line2, city, region, postal_code, country, phone)
      values ($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text)
      on conflict (account_id, content_key) where deleted_at is null do nothing
      returning ${columns}`,
    values: [uuidv7(), accountId, ...fieldsOf(fields)],
  })
  if (rows[0]) return { address: addressOf(rows[0]), made: true }
  const found = await tx.query<AddressRow>({
    name: 'addresses_find_equal',
    text: `
      select ${columns} from pantry.address a
      where a.account_id = $1::uuid and a.deleted_at is null and a.name = $2::text and a.line1 = $3::text
        and a.line2 is not distinct from $4::text and a.city = $5::text and a.region is not distinct from $6::text
        and a.postal_code = $7::text and a.country = $8::text and a.phone is not distinct from $9::text`,
    values: [accountId, ...fieldsOf(fields)],
  })
  return found.rows[0] && { address: addressOf(found.rows[0]), made: false }
}

export async function countAddresses(tx: Reader, accountId: string): Promise<number> {
  const { rows } = await tx.query<{ count: number }>({
    name: 'addresses_count',
    text: 'select count(*)::int as count from pantry.address where account_id = $1::uuid and deleted_at is null',
    values: [accountId],
  })
  return rows[0]?.count ?? 0
}

/** Replaces the fields of an address that is at `version`. `undefined`: it is not there, or not at that version any more. */
export async function replaceAddress(
  tx: SqlTransaction,
  write: { readonly accountId: string; readonly id: string; readonly version: number; readonly fields: AddressFields },
): Promise<Address | undefined> {
  const { rows } = await tx.query<AddressRow>({
    name: 'addresses_replace',
    text: `
      update pantry.address a
      set name = $4::text, line1 = $5::text, line2 = $6::text, city = $7::text, region = $8::text, postal_code = $9::text,
        country = $10::text, phone = $11::text, version = a.version + 1, updated_at = clock_timestamp()
      where a.id = $1::uuid and a.account_id = $2::uuid and a.version = $3::int and a.deleted_at is null
      returning ${columns}`,
    values: [write.id, write.accountId, write.version, ...fieldsOf(write.fields)],
  })
  return rows[0] && addressOf(rows[0])
}

/** Deletes an address that is there, or (with `deleted: false`) brings back one that was deleted; its version afterwards. */
export async function markAddress(
  tx: SqlTransaction,
  write: {
    readonly accountId: string
    readonly id: string
    readonly version: number | undefined
    readonly deleted: boolean
  },
): Promise<number | undefined> {
  const { rows } = await tx.query<{ version: number }>({
    name: 'addresses_mark',
    text: `
      update pantry.address a
      set deleted_at = case when $4::boolean then clock_timestamp() end, version = a.version + 1, updated_at = clock_timestamp()
      where a.id = $1::uuid and a.account_id = $2::uuid and ($3::int is null or a.version = $3::int)
        and (a.deleted_at is null) = $4::boolean
      returning a.version`,
    values: [write.id, write.accountId, write.version ?? null, write.deleted],
  })
  return rows[0]?.version
}
