import { expectVersion, refuse, uuidv7, type SqlTransaction } from 'safepoint'
import { findCartStanding } from './cart.queries.ts'
import { lineLimit, quantityLimit } from './cart.ts'

/**
 * Raises the version of the account's active cart, whose row stays locked, and makes the cart where there is none. Throws
 * `precondition_failed`.
 */
export async function takeUpCart(
  tx: SqlTransaction,
  accountId: string,
  ifMatch: number | undefined,
): Promise<{ readonly id: string; readonly version: number }> {
  const { rows } = await tx.query<{ id: string; version: number }>({
    name: 'cart_take_up',
    text: `
      insert into pantry.cart (id, account_id)
      select $1::uuid, $2::uuid
      where $3::int is null or exists (select from pantry.cart where account_id = $2::uuid and state = 'active')
      on conflict (account_id) where state = 'active'
      do update set version = pantry.cart.version + 1, updated_at = clock_timestamp()
      where $3::int is null or pantry.cart.version = $3::int
      returning id, version`,
    values: [uuidv7(), accountId, ifMatch ?? null],
  })
  if (rows[0]) return rows[0]
  // A cart that is not there yet has no version that anybody could have seen.
  expectVersion((await findCartStanding(tx, accountId))?.version ?? 0, ifMatch)
  throw refuse('conflict', 'The cart has changed in the same moment.', { retryable: true })
}

export interface GivenLine {
  readonly productId: string
  /** `undefined`: the product's first variant. */
  readonly variantId: string | undefined
  readonly quantity: number
}

/** What became of one given line; lines of one variant share one. */
export interface MergedLine {
  /** `undefined`: there is no such product, or it has no such variant. */
  readonly variantId: string | undefined
  readonly sold: boolean
  /** What the cart had of the variant. */
  readonly before: number
  /** The cart's line as it was written, where it was. */
  readonly written: { readonly itemId: string; readonly quantity: number } | undefined
}

/**
 * Adds lines to a cart, in one statement whatever their number: summed by variant, up to the limit of a line, and new lines
 * only as long as the cart has room for them, the first ones first. The cart's row must have been locked by a statement before
 * this one ({@link takeUpCart}), so that what is read here is what nobody else is changing. Answers one entry for each line.
 */
export async function mergeLines(
  tx: SqlTransaction,
  merge: {
    readonly cartId: string
    readonly lines: readonly GivenLine[]
    /** Also what has left the catalogue: it is in the cart as unavailable then. */
    readonly unsold: boolean
  },
): Promise<MergedLine[]> {
  const { lines } = merge
  const { rows } = await tx.query<{
    variant_id: string | null
    sold: boolean
    before: number
    item_id: string | null
    quantity: number | null
  }>({
    name: 'cart_merge_lines',
    text: `
      with given as materialized (
        select g.place, g.quantity, g.id, v.id as variant_id, coalesce(v.sold, false) as sold
        from unnest($2::uuid[], $3::uuid[], $4::int[], $5::uuid[]) with ordinality
          as g (product_id, variant_id, quantity, id, place)
        left join lateral (
          select v.id, p.archived_at is null and v.archived_at is null as sold
          from pantry.variant v join pantry.product p on p.id = v.product_id
          where v.product_id = g.product_id and (g.variant_id is null and v.archived_at is null or v.id = g.variant_id)
          order by v.position
          limit 1
        ) v on true
      ), wanted as materialized (
        select variant_id, sum(quantity) as quantity, min(place) as place, (array_agg(id order by place))[1] as id
        from given
        where variant_id is not null and (sold or $6::boolean)
        group by variant_id
      ), line as materialized (
        select w.variant_id, w.quantity, w.id, i.quantity as before,
          -- Where it would stand in the cart, were it new there.
          row_number() over (partition by i.id is null order by w.place)
            + (select count(*) from pantry.cart_item where cart_id = $1::uuid) as nth
        from wanted w left join pantry.cart_item i on i.cart_id = $1::uuid and i.variant_id = w.variant_id
      ), merged as (
        insert into pantry.cart_item (id, cart_id, variant_id, quantity)
        select id, $1::uuid, variant_id, least($7::int, coalesce(before, 0) + quantity)
        from line
        where before < $7::int or before is null and nth <= $8::int
        order by variant_id
        on conflict (cart_id, variant_id)
        do update set quantity = excluded.quantity, updated_at = clock_timestamp()
        returning id, variant_id, quantity
      )
      select given.variant_id, given.sold, coalesce(line.before, 0) as before, merged.id as item_id, merged.quantity
      from given left join line using (variant_id) left join merged using (variant_id)
      order by given.place`,
    values: [
      merge.cartId,
      lines.map((line) => line.productId),
      lines.map((line) => line.variantId ?? null),
      lines.map((line) => line.quantity),
      lines.map(() => uuidv7()),
      merge.unsold,
      quantityLimit,
      lineLimit,
    ],
  })
  return rows.map((row) => ({
    variantId: row.variant_id ?? undefined,
    sold: row.sold,
    before: row.before,
    written: row.item_id === null ? undefined : { itemId: row.item_id, quantity: row.quantity! },
  }))
}
