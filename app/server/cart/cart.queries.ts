import { conflict, expectVersion, uuidv7, type SqlTransaction } from 'safepoint'
import { sumMoney } from '../catalog/money.ts'
import type { Reader } from '../database.ts'
import { availableSql } from '../inventory/available-stock.ts'
import { quantityLimit, type Cart, type LineChange } from './cart.ts'

interface CartRow {
  cart_id: string
  version: number
  created_at: Date
  updated_at: Date
  id: string | null
  product_id: string
  variant_id: string
  product_name: string
  variant_name: string
  quantity: number
  unit_price: number
  currency: string
  available: boolean
  imported: boolean
}

export interface FoundCart {
  readonly cart: Cart
  /** An import has brought more carts of this account, which are not folded in yet. */
  readonly imported: boolean
}

/** The active cart with prices as they are now. One statement whatever its size; `undefined`: there is none. */
export async function findCart(tx: Reader, accountId: string, currency: string): Promise<FoundCart | undefined> {
  const { rows } = await tx.query<CartRow>({
    name: 'cart_find',
    text: `
      select c.id as cart_id, c.version, c.created_at, c.updated_at,
        i.id, v.product_id, i.variant_id, p.name as product_name, v.name as variant_name, i.quantity,
        p.price_amount + v.price_difference as unit_price, p.currency,
        p.archived_at is null and v.archived_at is null and ${availableSql} >= i.quantity as available,
        exists (select from pantry.cart m where m.account_id = $1::uuid and m.state = 'imported') as imported
      from pantry.cart c
      left join pantry.cart_item i on i.cart_id = c.id
      left join pantry.variant v on v.id = i.variant_id
      left join pantry.product p on p.id = v.product_id
      where c.account_id = $1::uuid and c.state = 'active'
      order by i.id`,
    values: [accountId],
  })
  const [first] = rows
  if (!first) return undefined
  const items = rows
    .filter((row) => row.id !== null)
    .map((row) => ({
      id: row.id!,
      productId: row.product_id,
      variantId: row.variant_id,
      name: `${row.product_name}, ${row.variant_name}`,
      quantity: row.quantity,
      unitPrice: { amount: row.unit_price, currency: row.currency },
      totalPrice: { amount: row.unit_price * row.quantity, currency: row.currency },
      available: row.available,
    }))
  const cart: Cart = {
    id: first.cart_id,
    version: first.version,
    items,
    itemsCount: items.length,
    totalItems: items.reduce((sum, item) => sum + item.quantity, 0),
    totalPrice: sumMoney(
      items.map((item) => item.totalPrice),
      currency,
    ),
    hasUnavailableItems: items.some((item) => !item.available),
    createdAt: first.created_at.toISOString(),
    updatedAt: first.updated_at.toISOString(),
  }
  return { cart, imported: first.imported }
}

/** The active cart, made if there is none. Where there is one, nothing is written. */
export async function getCart(database: Reader, accountId: string, currency: string): Promise<FoundCart> {
  for (let tries = 0; tries < 3; tries++) {
    const found = await findCart(database, accountId, currency)
    if (found) return found
    // Of ten tabs that get here at once, one makes it: cart_active sees to that.
    await database.query({
      name: 'cart_make',
      text: `insert into pantry.cart (id, account_id)
        select $1::uuid, id from pantry.account where id = $2::uuid and closed_at is null for key share
        on conflict (account_id) where state = 'active' do nothing`,
      values: [uuidv7(), accountId],
    })
  }
  throw conflict('The cart was ordered in the same moment.')
}

/** Which cart is the active one, and at which version. */
export async function findCartStanding(
  database: Reader,
  accountId: string,
): Promise<{ id: string; version: number } | undefined> {
  const { rows } = await database.query<{ id: string; version: number }>({
    name: 'cart_standing',
    text: `select id, version from pantry.cart where account_id = $1::uuid and state = 'active'`,
    values: [accountId],
  })
  return rows[0]
}

export interface Addition {
  readonly accountId: string
  readonly productId: string
  readonly variantId: string | undefined
  readonly quantity: number
  readonly ifMatch: number | undefined
}

export type Added =
  | { readonly added: LineChange; readonly version: number }
  | { readonly added: undefined; readonly because: 'no such product' | 'not sold' | 'other version' | 'too many' }

/**
 * Adds to a line, or makes it; makes the cart too if there is none. One statement: the cart's row is locked first, so that
 * adds to one cart take turns, and quantities are added to what the row holds then, so that none is lost. Without a match
 * (no such variant, a version that is not the cart's) no part of it writes.
 */
export async function addToCart(tx: SqlTransaction, addition: Addition): Promise<Added> {
  const { rows } = await tx.query<{
    variant_id: string
    sold: boolean
    version: number | null
    item_id: string | null
    quantity: number | null
  }>({
    name: 'cart_add',
    text: `
      with wanted as materialized (
        select v.id, p.archived_at is null and v.archived_at is null as sold
        from pantry.variant v join pantry.product p on p.id = v.product_id
        where v.product_id = $3::uuid and ($4::uuid is null and v.archived_at is null or v.id = $4::uuid)
        order by v.position
        limit 1
      ), cart as (
        insert into pantry.cart (id, account_id)
        select $1::uuid, $2::uuid from wanted
        where sold and ($8::int is null or exists (select from pantry.cart where account_id = $2::uuid and state = 'active'))
        on conflict (account_id) where state = 'active'
        do update set version = pantry.cart.version + 1, updated_at = clock_timestamp()
        where $8::int is null or pantry.cart.version = $8::int
        returning id, version
      ), item as (
        insert into pantry.cart_item (id, cart_id, variant_id, quantity)
        select $5::uuid, cart.id, wanted.id, $6::int from cart, wanted
        on conflict (cart_id, variant_id)
        do update set quantity = pantry.cart_item.quantity + excluded.quantity, updated_at = clock_timestamp()
        where pantry.cart_item.quantity + excluded.quantity <= $7::int
        returning id, quantity
      )
      select wanted.id as variant_id, wanted.sold, cart.version, item.id as item_id, item.quantity
      from wanted left join cart on true left join item on true`,
    values: [
      uuidv7(),
      addition.accountId,
      addition.productId,
      addition.variantId ?? null,
      uuidv7(),
      addition.quantity,
      quantityLimit,
      addition.ifMatch ?? null,
    ],
  })
  const [row] = rows
  if (!row) return { added: undefined, because: 'no such product' }
  if (!row.sold) return { added: undefined, because: 'not sold' }
  if (row.version === null) return { added: undefined, because: 'other version' }
  if (row.item_id === null || row.quantity === null) return { added: undefined, because: 'too many' }
  const from = row.quantity - addition.quantity
  return { added: { itemId: row.item_id, variantId: row.variant_id, from, to: row.quantity }, version: row.version }
}

export interface LineWrite {
  readonly accountId: string
  /** `undefined`: all lines. */
  readonly itemId: string | undefined
  /** 0 removes. */
  readonly quantity: number
  readonly ifMatch: number | undefined
}

/**
 * Sets or removes lines of the active cart. `undefined`: there is no such line in it, and nothing is written. Two statements, because what the second
 * reads must be as new as the lock that the first has waited for. Throws `precondition_failed`.
 */
export async function writeLines(
  tx: SqlTransaction,
  write: LineWrite,
): Promise<{ changes: LineChange[]; version: number } | undefined> {
  const cart = await lockCart(tx, write)
  if (!cart) return undefined
  const { rows } = await tx.query<{ id: string; variant_id: string; quantity: number }>({
    name: write.quantity === 0 ? 'cart_remove_lines' : 'cart_set_line',
    text:
      write.quantity === 0
        ? `delete from pantry.cart_item i where i.cart_id = $1::uuid and ($2::uuid is null or i.id = $2::uuid)
            returning i.id, i.variant_id, i.quantity`
        : `with before as materialized (select id, quantity from pantry.cart_item where cart_id = $1::uuid and id = $2::uuid)
          update pantry.cart_item i set quantity = $3::int, updated_at = clock_timestamp()
          from before where i.id = before.id
          returning i.id, i.variant_id, before.quantity`,
    values: write.quantity === 0 ? [cart.id, write.itemId ?? null] : [cart.id, write.itemId ?? null, write.quantity],
  })
  if (write.itemId !== undefined && rows.length === 0) return undefined
  const changes = rows.map((row) => ({
    itemId: row.id,
    variantId: row.variant_id,
    from: row.quantity,
    to: write.quantity,
  }))
  return { changes, version: cart.version }
}

/**
 * Raises the version of the active cart, whose row stays locked. `undefined`: there is none, or it lacks the line that is
 * named. Throws `precondition_failed`.
 */
async function lockCart(
  tx: SqlTransaction,
  { accountId, itemId, ifMatch }: Pick<LineWrite, 'accountId' | 'itemId' | 'ifMatch'>,
): Promise<{ id: string; version: number } | undefined> {
  const { rows } = await tx.query<{ id: string; version: number }>({
    name: 'cart_touch',
    text: `update pantry.cart c set version = version + 1, updated_at = clock_timestamp()
      where account_id = $1::uuid and state = 'active' and ($2::int is null or version = $2::int)
        and ($3::uuid is null or exists (select from pantry.cart_item i where i.cart_id = c.id and i.id = $3::uuid))
      returning id, version`,
    values: [accountId, ifMatch ?? null, itemId ?? null],
  })
  if (!rows[0] && ifMatch !== undefined) expectVersion((await findCartStanding(tx, accountId))?.version, ifMatch)
  return rows[0]
}

/**
 * Takes changes of lines back, all or none: `false` when the cart is no longer active, when a line is no longer what the change
 * made it (with `exactly`), or when less is left of it than was added. Lines come back under their own ids.
 */
export async function revertLines(
  tx: SqlTransaction,
  revert: {
    readonly accountId: string
    readonly cartId: string
    readonly changes: readonly LineChange[]
    readonly exactly: boolean
  },
): Promise<boolean> {
  const cart = await lockCart(tx, { accountId: revert.accountId, itemId: undefined, ifMatch: undefined })
  if (cart?.id !== revert.cartId) return false
  const { changes } = revert
  const { rows } = await tx.query<{ fitting: boolean }>({
    name: 'cart_revert',
    text: `
      with change as (
        select * from unnest($2::uuid[], $3::uuid[], $4::int[], $5::int[]) as c (item_id, variant_id, before, after)
      ), now as materialized (
        select c.*, coalesce(i.quantity, 0) as quantity, i.id as present,
          coalesce(i.quantity, 0) + c.before - c.after as wanted
        from change c
        left join pantry.cart_item i on i.cart_id = $1::uuid and i.variant_id = c.variant_id
      ), verdict as materialized (
        select bool_and(case when $6::boolean then quantity = after else quantity >= after - before end
          and wanted between 0 and $7::int) as fitting
        from now
      ), removed as (
        delete from pantry.cart_item i using now, verdict
        where verdict.fitting and i.id = now.present and now.wanted = 0
      ), changed as (
        update pantry.cart_item i set quantity = now.wanted, updated_at = clock_timestamp()
        from now, verdict
        where verdict.fitting and i.id = now.present and now.wanted > 0
      ), restored as (
        insert into pantry.cart_item (id, cart_id, variant_id, quantity)
        select now.item_id, $1::uuid, now.variant_id, now.wanted
        from now, verdict
        where verdict.fitting and now.present is null and now.wanted > 0
      )
      select coalesce(fitting, true) as fitting from verdict`,
    values: [
      revert.cartId,
      changes.map((change) => change.itemId),
      changes.map((change) => change.variantId),
      changes.map((change) => change.from),
      changes.map((change) => change.to),
      revert.exactly,
      quantityLimit,
    ],
  })
  return rows[0]?.fitting === true
}
