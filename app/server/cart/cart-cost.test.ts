import { uuidv7 } from 'safepoint'
import { afterAll, expect, test } from 'vitest'
import { startTransactionLog } from '../test/transaction-log.ts'
import { world } from '../test/world.ts'
import type { Cart } from './cart.ts'

const shop = await world()
const log = await startTransactionLog(shop.url)
afterAll(() => log.close())
const server = await shop.another({ url: log.url })

const { productId, variantIds } = await shop.newProduct({ variants: 202 })
const [fresh, other, ...filling] = variantIds as [string, string, ...string[]]

/** Somebody with a cart of so many lines, who talks to the server whose statements are counted. */
async function withCart(lines: number) {
  const shopper = await shop.newShopper()
  const cartId = uuidv7()
  if (lines > 0) await shop.sql('insert into pantry.cart (id, account_id) values ($1, $2)', [cartId, shopper.user.id])
  await shop.sql(
    `insert into pantry.cart_item (id, cart_id, variant_id, quantity)
      select gen_random_uuid(), $1::uuid, unnest($2::uuid[]), 1`,
    [cartId, filling.slice(0, lines)],
  )
  return shop.sendTo(server, shopper.accessToken)
}

const sizes = [0, 1, 50, 199]

/** Statements between BEGIN and COMMIT, the gate's included, of the one transaction that has `statement`. */
async function costOf(statement: string, write: () => Promise<{ readonly status: number }>): Promise<string[]> {
  log.take(statement)
  expect((await write()).status).toBe(200)
  const transactions = log.take(statement)
  expect(transactions).toHaveLength(1)
  return transactions[0]!
}

test('an add has at most 6 statements between BEGIN and COMMIT, the same ones for a cart of 0, 1, 50 or 199 lines', async () => {
  for (const lines of sizes) {
    const send = await withCart(lines)
    const add = (variantId: string) => () => send('POST', '/api/cart/add', { productId, variantId, quantity: 1 })
    const newLine = await costOf('cart_add', add(fresh))
    const sameLine = await costOf('cart_add', add(fresh))
    expect([lines, newLine]).toEqual([lines, ['cart_add', 'cart_find', expect.stringMatching(/^sp_/)]])
    expect([lines, sameLine]).toEqual([lines, newLine])
    expect(newLine.length).toBeLessThanOrEqual(6)
    expect((await send<Cart>('GET', '/api/cart')).body.itemsCount).toBe(lines + 1)
  }
})

test('so have a change, a removal, a clearing and a merge, whatever the size of the cart', async () => {
  for (const lines of sizes.slice(1)) {
    const send = await withCart(lines)
    const { body } = await send<Cart>('GET', '/api/cart')
    const item = `/api/cart/items/${body.items[0]!.id}`
    const items = [fresh, filling[0]!, other].map((variantId) => ({ productId, variantId, quantity: 2 }))
    const costs = {
      change: await costOf('cart_set_line', () => send('PATCH', item, { quantity: 5 })),
      removal: await costOf('cart_remove_lines', () => send('DELETE', item)),
      merge: await costOf('cart_merge_lines', () =>
        send('POST', '/api/cart/merge', { items }, { 'idempotency-key': uuidv7() }),
      ),
      clearing: await costOf('cart_remove_lines', () => send('DELETE', '/api/cart')),
    }
    const gate = expect.stringMatching(/^sp_/)
    expect({ lines, ...costs }).toEqual({
      lines,
      change: ['cart_touch', 'cart_set_line', 'cart_find', gate],
      removal: ['cart_touch', 'cart_remove_lines', 'cart_find', gate],
      merge: ['cart_take_up', 'cart_merge_lines', 'cart_find', gate],
      clearing: ['cart_touch', 'cart_remove_lines', 'cart_find', gate],
    })
  }
})
