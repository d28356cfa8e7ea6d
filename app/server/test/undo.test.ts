import { randomUUID } from 'node:crypto'
import type { AnyOperation } from 'safepoint'
import { describe, expect, it } from 'vitest'
import { orderWorld, type Customer } from './order-world.ts'

const world = await orderWorld()
const { safepoint, operations, sql, stripe } = world

/** What an account and the shop can see of each other: everything an undo has to bring back. History and versions go on. */
async function rowsOf({ accountId }: Customer) {
  const orders = (await sql<{ id: string }>('select id from pantry.orders where account_id = $1', [accountId])).map(
    ({ id }) => id,
  )
  return {
    account: await sql('select email, name, role, locale, closed_at from pantry.account where id = $1', [accountId]),
    cart: await sql(
      `select i.variant_id, i.quantity from pantry.cart c join pantry.cart_item i on i.cart_id = c.id
       where c.account_id = $1 and c.state = 'active' order by i.variant_id`,
      [accountId],
    ),
    addresses: await sql(
      `select name, line1, line2, city, region, postal_code, country, phone from pantry.address
       where account_id = $1 and deleted_at is null order by id`,
      [accountId],
    ),
    wishes: await sql('select product_id, added_at::text from pantry.wish where account_id = $1 order by product_id', [
      accountId,
    ]),
    orders: await sql(
      `select status, total, closing_by from pantry.orders where account_id = $1 and status <> 'cancelled' order by id`,
      [accountId],
    ),
    // What a product that was taken back leaves: an empty shelf, its variants as archived.
    stock: await sql(
      'select variant_id, on_hand, reserved from pantry.stock where on_hand > 0 or reserved > 0 order by variant_id',
    ),
    catalogue: await sql(
      `select p.id, p.name, p.description, p.category, p.image, p.price_amount, p.energy_kcal,
         v.id as variant_id, v.sku, v.name as variant, v.position, v.price_difference, v.content_g
       from pantry.product p join pantry.variant v on v.product_id = p.id
       where p.archived_at is null and v.archived_at is null order by p.id, v.id`,
    ),
    ledger: await sql(
      `select variant_id, sum(delta)::int as delta from pantry.stock_movement
       group by variant_id having sum(delta) <> 0 order by variant_id`,
    ),
    held: await sql(`select variant_id, quantity from pantry.reservation where state = 'held' order by variant_id`),
    payments: await sql(
      `select status from pantry.payment where order_id = any ($1::uuid[]) and status in ('created', 'requires_action', 'processing', 'captured', 'refunding')`,
      [orders],
    ),
    taken: orders.reduce((sum, id) => sum + (stripe.book.net('order')[id]?.net ?? 0), 0),
  }
}

type Rows = Awaited<ReturnType<typeof rowsOf>>

interface Scenario {
  readonly operation: AnyOperation
  readonly input: object
  /** What the undo has to bring back, where that is not how things stood right before the operation. */
  readonly before?: Rows
  readonly ifMatch?: number
}

const address = { name: 'Asha', line1: '2 Lane', city: 'Pune', postalCode: '411002', country: 'IN' }
const addressOf = async ({ addressId }: Customer) => ({
  id: addressId,
  version: (await sql<{ version: number }>('select version from pantry.address where id = $1', [addressId]))[0]!
    .version,
})
const lineOf = async (customer: Customer) => {
  await world.addToCart(customer, await world.newVariant(9), 3)
  const [line] = await sql<{ id: string }>(
    'select i.id from pantry.cart_item i join pantry.cart c on c.id = i.cart_id where c.account_id = $1',
    [customer.accountId],
  )
  return line!.id
}
/** The catalogue and the shelves are an administrator's. */
const promote = ({ accountId }: Customer) => sql(`update pantry.account set role = 'admin' where id = $1`, [accountId])
const product = {
  name: 'Red lentils',
  description: 'Cook in ten minutes.',
  category: 'pulses',
  image: '/images/red-lentils.svg',
  price: { amount: 9900, currency: 'INR' },
  nutrition: { per: '100 g', kcal: 350, protein: 8, carbohydrate: 78, sugar: 0, fat: 1, fibre: 1, salt: 0 },
  variants: [{ name: '500 g', contentG: 500 }],
}
const fillCart = async (customer: Customer) => world.addToCart(customer, await world.newVariant(9), 3)

/** One for each operation that declares an undo: what to do, on an account that is ready for it. */
const scenarios: Record<string, (customer: Customer) => Promise<Scenario>> = {
  'cart.add-item': async (customer) => {
    const variant = await world.newVariant(9)
    await world.addToCart(customer, variant, 1)
    return { operation: operations.addCartItem, input: { productId: variant.productId, quantity: 2 } }
  },
  'cart.change-item': async (customer) => ({
    operation: operations.changeCartItem,
    input: { id: await lineOf(customer), quantity: 7 },
  }),
  'cart.remove-item': async (customer) => ({
    operation: operations.removeCartItem,
    input: { id: await lineOf(customer) },
  }),
  'cart.clear': async (customer) => {
    await fillCart(customer)
    await fillCart(customer)
    return { operation: operations.clearCart, input: {} }
  },
  'cart.merge': async (customer) => {
    const [there, fresh] = [await world.newVariant(9), await world.newVariant(9)]
    await world.addToCart(customer, there, 3)
    const items = [there, fresh].map(({ productId, variantId }) => ({ productId, variantId, quantity: 2 }))
    return { operation: operations.mergeCart, input: { items } }
  },
  'address.add': async () => ({ operation: operations.addAddress, input: address }),
  'address.change': async (customer) => {
    const { id, version } = await addressOf(customer)
    return { operation: operations.changeAddress, input: { id, city: 'Mumbai' }, ifMatch: version }
  },
  'address.delete': async (customer) => ({ operation: operations.deleteAddress, input: { id: customer.addressId } }),
  'account.change-profile': async () => ({
    operation: operations.changeProfile,
    input: { name: 'Asha the Second', locale: 'he' },
  }),
  'product.create': async (customer) => {
    await promote(customer)
    return { operation: operations.createProduct, input: product }
  },
  'product.change': async (customer) => {
    await promote(customer)
    const { productId, variantId } = await world.newVariant(9)
    const variants = { add: product.variants, change: [{ id: variantId, name: 'A sack', priceDifference: 5 }] }
    return {
      operation: operations.changeProduct,
      input: { id: productId, name: 'Other', price: product.price, variants },
    }
  },
  'product.archive': async (customer) => {
    await promote(customer)
    return { operation: operations.archiveProduct, input: { id: (await world.newVariant(9)).productId } }
  },
  'stock.adjust': async (customer) => {
    await promote(customer)
    return {
      operation: operations.adjustStock,
      input: { variantId: (await world.newVariant(9)).variantId, delta: -4, reason: 'loss' },
    }
  },
  'wishlist.add': async () => ({
    operation: operations.addWish,
    input: { productId: (await world.newVariant(9)).productId },
  }),
  'wishlist.remove': async ({ scope }) => {
    const { productId } = await world.newVariant(9)
    await safepoint.run(operations.addWish, { productId }, { scope, key: 'wish' })
    return { operation: operations.removeWish, input: { productId } }
  },
  'order.place': async (customer) => {
    await fillCart(customer)
    return { operation: operations.placeOrder, input: { addressId: customer.addressId } }
  },
  'payment.create-from-cart': async (customer) => {
    await fillCart(customer)
    return {
      operation: operations.payCart,
      input: { gateway: 'stripe', shippingAddress: customer.addressId, currency: 'INR' },
    }
  },
  'order.confirm': async (customer) => {
    await fillCart(customer)
    const before = await rowsOf(customer)
    const placed = await safepoint.run(
      operations.placeOrder,
      { addressId: customer.addressId },
      { scope: customer.scope, key: 'place' },
    )
    if (placed.outcome !== 'succeeded') throw new Error(placed.outcome)
    // A refund does not leave an order to be paid again: it takes the whole order back.
    return {
      operation: operations.confirmOrder,
      input: { id: placed.result.id, gateway: 'stripe', paymentMethod: 'pm_card_visa' },
      before,
    }
  },
}

const all = [...safepoint.operations.values()].filter(({ name }) => !name.endsWith('.undo'))

describe('every operation says what becomes of it', () => {
  it.each(all.map((operation) => [operation.name, operation] as const))(
    '%s is undone, or says why it stays',
    (name, operation) => {
      expect(operation.onCancel ?? operation.uncancellable, 'what a cancel means for whoever presses it').toMatch(
        /^[A-Z].{10,}\.$/s,
      )
      if (operation.keep === undefined) expect(Object.keys(scenarios)).toContain(name)
      else expect(operation.keep).toMatch(/^[A-Z].{10,}\.$/s)
    },
  )

  it('no scenario is of an operation that is not there, or that stays', () => {
    expect(Object.keys(scenarios).toSorted()).toEqual(
      all
        .filter(({ undo }) => undo !== undefined)
        .map(({ name }) => name)
        .toSorted(),
    )
  })

  it.each(Object.entries(scenarios))('the undo of %s brings back every row, once', async (_, arrange) => {
    const customer = await world.newCustomer()
    const { operation, input, ifMatch, ...scenario } = await arrange(customer)
    const before = scenario.before ?? (await rowsOf(customer))
    const key = randomUUID()
    const done = await safepoint.run(operation, input as never, {
      scope: customer.scope,
      key,
      ...(ifMatch !== undefined && { ifMatch }),
    })
    expect(done).toMatchObject({ outcome: 'succeeded', undo: { available: true } })
    expect(await rowsOf(customer)).not.toEqual(before)
    const undone = await Promise.all([safepoint.undo(customer.scope, key), safepoint.undo(customer.scope, key)])
    expect(undone.map(({ outcome }) => outcome)).toEqual(['succeeded', 'succeeded'])
    expect(await rowsOf(customer)).toEqual(before)
    expect(await safepoint.cancel(customer.scope, key)).toMatchObject({
      outcome: 'too_late',
      state: 'succeeded',
      undone: { at: expect.any(String) },
    })
  })
})
