import { uuidv7, type SqlTransaction } from 'safepoint'
import { quantityLimit } from '../cart/cart.ts'
import { announceCart } from '../cart/change-cart.ts'
import type { Money } from '../catalog/money.ts'

/** A line of a cart at today's price. */
export interface PricedLine {
  readonly productId: string
  readonly variantId: string
  readonly name: string
  readonly quantity: number
  readonly unitPrice: Money
  /** `false`: it has left the catalogue. */
  readonly sold: boolean
}

export interface TakenCart {
  readonly id: string
  readonly version: number
  readonly lines: PricedLine[]
}

/**
 * Closes an account's active cart, the one named where one is, and answers its lines. `undefined`: it is not active, or not
 * theirs. The cart's row is locked first and its lines are read by a later statement, so that no line added meanwhile is lost.
 */
export async function takeCart(tx: SqlTransaction, accountId: string, cartId?: string): Promise<TakenCart | undefined> {
  const { rows } = await tx.query<{ id: string; version: number }>({
    name: 'orders_take_cart',
    text: `update pantry.cart set state = 'ordered', version = version + 1, updated_at = clock_timestamp()
      where account_id = $1::uuid and state = 'active' and ($2::uuid is null or id = $2::uuid)
      returning id, version`,
    values: [accountId, cartId ?? null],
  })
  const cart = rows[0]
  if (!cart) return undefined
  const { rows: lines } = await tx.query<{
    product_id: string
    variant_id: string
    name: string
    quantity: number
    price: number
    currency: string
    sold: boolean
  }>({
    name: 'orders_cart_lines',
    text: `select v.product_id, v.id as variant_id, p.name || ', ' || v.name as name, i.quantity,
        p.price_amount + v.price_difference as price, p.currency, p.archived_at is null and v.archived_at is null as sold
      from pantry.cart_item i
      join pantry.variant v on v.id = i.variant_id
      join pantry.product p on p.id = v.product_id
      where i.cart_id = $1::uuid
      order by i.id`,
    values: [cart.id],
  })
  return {
    id: cart.id,
    version: cart.version,
    lines: lines.map((line) => ({
      productId: line.product_id,
      variantId: line.variant_id,
      name: line.name,
      quantity: line.quantity,
      unitPrice: { amount: line.price, currency: line.currency },
      sold: line.sold,
    })),
  }
}

/**
 * Makes the account's active cart, where it has none. Its version goes on from the cart that was closed, so that an account's
 * devices tell old from new by that alone.
 */
export async function openActiveCart(tx: SqlTransaction, accountId: string, version: number): Promise<void> {
  await tx.query({
    name: 'orders_open_cart',
    text: `insert into pantry.cart (id, account_id, version) values ($1::uuid, $2::uuid, $3::int)
      on conflict (account_id) where state = 'active' do nothing`,
    values: [uuidv7(), accountId, version],
  })
  announceCart(tx, accountId, version)
}

/** Adds an order's lines to the account's active cart; what is in there already is added up. */
export async function putLinesBack(
  tx: SqlTransaction,
  accountId: string,
  lines: readonly { readonly variantId: string; readonly quantity: number }[],
): Promise<void> {
  // One statement: between making sure that there is an active cart and locking it, it could be ordered.
  const { rows } = await tx.query<{ id: string; version: number }>({
    name: 'orders_active_cart',
    text: `insert into pantry.cart (id, account_id) values ($1::uuid, $2::uuid)
      on conflict (account_id) where state = 'active' do update set version = cart.version + 1, updated_at = clock_timestamp()
      returning id, version`,
    values: [uuidv7(), accountId],
  })
  await tx.query({
    name: 'orders_put_lines_back',
    text: `insert into pantry.cart_item (id, cart_id, variant_id, quantity)
      select l.id, $1::uuid, l.variant_id, l.quantity from unnest($2::uuid[], $3::uuid[], $4::int[]) as l (id, variant_id, quantity)
      on conflict (cart_id, variant_id) do update
        set quantity = least($5::int, cart_item.quantity + excluded.quantity), updated_at = clock_timestamp()`,
    values: [
      rows[0]!.id,
      lines.map(() => uuidv7()),
      lines.map((line) => line.variantId),
      lines.map((line) => line.quantity),
      quantityLimit,
    ],
  })
  announceCart(tx, accountId, rows[0]!.version)
}
