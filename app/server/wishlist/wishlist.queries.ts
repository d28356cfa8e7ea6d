import type { SqlTransaction } from 'safepoint'
import type { Reader } from '../database.ts'
import { availableSql } from '../inventory/available-stock.ts'
import type { Wish } from './wishlist.ts'

interface WishRow {
  product_id: string
  name: string
  image: string
  price: number
  currency: string
  available: boolean
  added_at: Date
}

/** The latest first; one product, where one is named. */
export async function listWishes(tx: Reader, accountId: string, productId?: string): Promise<Wish[]> {
  const { rows } = await tx.query<WishRow>({
    name: 'wishlist_list',
    text: `
      select w.product_id, p.name, p.image, p.price_amount as price, p.currency, w.added_at,
        p.archived_at is null and exists (
          select from pantry.variant v where v.product_id = p.id and v.archived_at is null and ${availableSql} > 0
        ) as available
      from pantry.wish w join pantry.product p on p.id = w.product_id
      where w.account_id = $1::uuid and ($2::uuid is null or w.product_id = $2::uuid)
      order by w.added_at desc, w.product_id`,
    values: [accountId, productId ?? null],
  })
  return rows.map((row) => ({
    productId: row.product_id,
    name: row.name,
    image: row.image,
    price: { amount: row.price, currency: row.currency },
    available: row.available,
    addedAt: row.added_at.toISOString(),
  }))
}

export interface AddedWish {
  /** When it was put there by this statement, as the database writes it; `null`: it was there. */
  readonly madeAt: string | null
  /** How many there were before. */
  readonly before: number
}

/** Puts a product that is sold on the list, unless it is there. `undefined`: no such product is sold. */
export async function insertWish(
  tx: SqlTransaction,
  wish: { readonly accountId: string; readonly productId: string },
): Promise<AddedWish | undefined> {
  const { rows } = await tx.query<{ made_at: string | null; before: number }>({
    name: 'wishlist_insert',
    text: `
      with sold as materialized (
        select id from pantry.product where id = $2::uuid and archived_at is null
      ), made as (
        insert into pantry.wish (account_id, product_id) select $1::uuid, id from sold
        on conflict (account_id, product_id) do nothing
        returning added_at
      )
      select (select added_at::text from made) as made_at,
        (select count(*)::int from pantry.wish where account_id = $1::uuid) as before
      from sold`,
    values: [wish.accountId, wish.productId],
  })
  return rows[0] && { madeAt: rows[0].made_at, before: rows[0].before }
}

/** Since when it was on the list, as the database writes it; `undefined`: it was not, or not since `since`. */
export async function deleteWish(
  tx: SqlTransaction,
  wish: { readonly accountId: string; readonly productId: string; readonly since?: string },
): Promise<string | undefined> {
  const { rows } = await tx.query<{ added_at: string }>({
    name: 'wishlist_delete',
    text: `delete from pantry.wish
      where account_id = $1::uuid and product_id = $2::uuid and ($3::timestamptz is null or added_at = $3::timestamptz)
      returning added_at::text`,
    values: [wish.accountId, wish.productId, wish.since ?? null],
  })
  return rows[0]?.added_at
}

/** Puts back what was taken off, as of when it was added; what is there again stays as it is. */
export async function restoreWish(
  tx: SqlTransaction,
  wish: { readonly accountId: string; readonly productId: string; readonly since: string },
): Promise<void> {
  await tx.query({
    name: 'wishlist_restore',
    text: `insert into pantry.wish (account_id, product_id, added_at) values ($1::uuid, $2::uuid, $3::timestamptz)
      on conflict (account_id, product_id) do nothing`,
    values: [wish.accountId, wish.productId, wish.since],
  })
}
