import assert from 'node:assert/strict'
import type { Cart, Money } from '../../client/model.ts'

interface Lines {
  readonly items: ReadonlyArray<{ readonly variantId: string; readonly quantity: number }>
}

/** How many of each variant. */
export const linesOf = ({ items }: Lines): Record<string, number> =>
  Object.fromEntries(items.map(({ variantId, quantity }) => [variantId, quantity]))

export function assertLines(cart: Lines, wanted: Readonly<Record<string, number>>): void {
  assert.deepEqual(linesOf(cart), wanted)
  assert.equal(cart.items.length, Object.keys(wanted).length, 'a variant has two lines')
}

/** Whatever a cart says of itself agrees with its lines. */
export function assertSums({ items, ...cart }: Cart): void {
  const { currency } = cart.totalPrice
  for (const item of items) {
    assert.ok(Number.isSafeInteger(item.unitPrice.amount) && item.unitPrice.amount >= 0)
    assert.ok(Number.isInteger(item.quantity) && item.quantity >= 1)
    assert.deepEqual(item.totalPrice, { amount: item.unitPrice.amount * item.quantity, currency })
  }
  const sum = (amounts: readonly number[]) => amounts.reduce((all, one) => all + one, 0)
  assert.deepEqual(
    [cart.itemsCount, cart.totalItems, cart.totalPrice.amount, cart.hasUnavailableItems],
    [
      items.length,
      sum(items.map(({ quantity }) => quantity)),
      sum(items.map(({ totalPrice }) => totalPrice.amount)),
      items.some(({ available }) => !available),
    ],
  )
}

export function assertEmpty(cart: Cart, currency: string): void {
  const none: Money = { amount: 0, currency }
  const { items, itemsCount, totalItems, totalPrice, hasUnavailableItems } = cart
  assert.deepEqual(
    { items, itemsCount, totalItems, totalPrice, hasUnavailableItems },
    { items: [], itemsCount: 0, totalItems: 0, totalPrice: none, hasUnavailableItems: false },
  )
}

/** Lines that come to nothing that can be told apart, so that a mix-up shows: 1 of the first, 2 of the second, … */
export const oneMoreEach = (variantIds: readonly string[]): Record<string, number> =>
  Object.fromEntries(variantIds.map((variantId, n) => [variantId, n + 1]))
