import { refuse, uuidv7, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import { multiplyMoney, sumMoney, type Money } from '../catalog/money.ts'
import { isId } from '../http.ts'
import { reserveStock } from '../inventory/reserve-stock.ts'
import type { Enqueue } from '../jobs.ts'
import { openActiveCart, takeCart } from './cart-of-order.queries.ts'
import { expireOrdersJob } from './expire-order.ts'
import { findAddressSnapshot } from './find-address-snapshot.ts'
import { findOrderOfCart, getOrder, insertOrder, type OrderNow } from './orders.queries.ts'
import { orderTopic, outOfStock, type AddressSnapshot } from './orders.ts'

export interface PlaceOptions {
  /** How long stock is held for an unpaid order, in milliseconds. */
  readonly hold: number
  readonly currency: string
  readonly enqueue: Enqueue
}

export interface CartWish {
  readonly accountId: string
  /** Absent: the active one. */
  readonly cartId?: string | undefined
  /** One of the account's own, by its id, or the address itself: that is copied, and not kept. */
  readonly shippingAddress: string | AddressSnapshot
  readonly billingAddress?: string | AddressSnapshot | undefined
  readonly expectedTotal?: Money | undefined
}

/**
 * Turns a cart into a pending order: stock is held, prices and addresses are copied, nothing is charged, and a new cart is
 * active. A cart that is ordered already answers that order (`placed: false`). Throws `cart_empty`, `cart_not_found`,
 * `address_not_found`, `cart_changed`, `out_of_stock`.
 */
export async function placeFromCart(
  tx: SqlTransaction,
  wish: CartWish,
  { hold, currency, enqueue }: PlaceOptions,
): Promise<OrderNow & { readonly placed: boolean }> {
  const { accountId, cartId } = wish
  if (cartId !== undefined && !isId(cartId)) throw noSuchCart(cartId)
  const cart = await takeCart(tx, accountId, cartId)
  if (!cart) {
    const earlier = cartId === undefined ? undefined : await findOrderOfCart(tx, cartId, accountId)
    if (earlier) return { ...earlier, placed: false }
    if (cartId === undefined) throw refuse('cart_empty', 'The cart is empty.')
    throw noSuchCart(cartId)
  }
  if (cart.lines.length === 0) throw refuse('cart_empty', 'The cart is empty.', { details: { cartId: cart.id } })

  const shipping = await copyAddress(tx, wish.shippingAddress, accountId)
  const billing = wish.billingAddress === undefined ? shipping : await copyAddress(tx, wish.billingAddress, accountId)
  const gone = cart.lines.filter((line) => !line.sold)
  if (gone.length > 0)
    throw outOfStock(
      gone.map((line) => ({ ...line, available: 0 })),
      cart.lines,
    )

  const total = sumMoney(
    cart.lines.map((line) => multiplyMoney(line.unitPrice, line.quantity)),
    currency,
  )
  const { expectedTotal } = wish
  if (expectedTotal && (expectedTotal.amount !== total.amount || expectedTotal.currency !== total.currency)) {
    throw refuse('cart_changed', 'The total has changed.', { details: { cartId: cart.id, expectedTotal, total } })
  }

  const id = uuidv7()
  const { reservedUntil } = await insertOrder(tx, {
    id,
    accountId,
    cartId: cart.id,
    total: total.amount,
    currency,
    shippingAddress: shipping,
    billingAddress: billing,
    hold,
    lines: cart.lines.map((line) => ({ ...line, id: uuidv7(), unitPrice: line.unitPrice.amount })),
  })
  const reserved = await reserveStock(tx, { orderId: id, lines: cart.lines, milliseconds: hold })
  if (!reserved.reserved) throw outOfStock(reserved.short, cart.lines)
  await openActiveCart(tx, accountId, cart.version + 1)
  await enqueue(tx, expireOrdersJob, { orderId: id }, { after: reservedUntil })
  announce(tx, orderTopic(id))
  return { ...(await getOrder(tx, id)), placed: true }
}

const noSuchCart = (cartId: string) => refuse('cart_not_found', 'There is no such cart.', { details: { cartId } })

async function copyAddress(
  tx: SqlTransaction,
  address: string | AddressSnapshot,
  accountId: string,
): Promise<AddressSnapshot> {
  if (typeof address !== 'string') return address
  const found = isId(address) ? await findAddressSnapshot(tx, address, accountId) : undefined
  if (!found) throw refuse('address_not_found', 'There is no such address.', { details: { addressId: address } })
  return found
}
