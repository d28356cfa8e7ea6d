import { describe, expect, test } from 'vitest'
import type { Reply, Shopper } from '../test/world.ts'
import type { SignedIn } from './accounts.schema.ts'
import { closingWorld } from './close-account.test.setup.ts'

// Whoever comes at the same moment, before it or after it: what is closed has nothing left, and what was told was true.
const shop = await closingWorld()
const { sql, elsewhere, leftOf, isClosed, inTurn } = shop
const close = (who: Shopper) => () => elsewhere(who)('DELETE', '/api/me')
/** The two in that order, and the answers of `rival` and of the closing. */
async function meet(who: Shopper, first: 'rival' | 'close', rival: () => Promise<Reply>): Promise<[Reply, Reply]> {
  if (first === 'rival') return inTurn(who, rival, close(who))
  const [closed, other] = await inTurn(who, close(who), rival)
  return [other, closed]
}

const orders = ['rival', 'close'] as const

async function expectClosed(who: Shopper): Promise<void> {
  expect(await isClosed(who)).toBe(true)
  expect(await leftOf(who.user.id)).toEqual({})
}

describe('closing an account races', () => {
  const place = (who: Shopper, addressId: string) => () =>
    who.send('POST', '/api/orders', { addressId }, { 'idempotency-key': 'place' })

  test('an order that is placed before it: that is cancelled, and holds no stock', async () => {
    const who = await shop.newShopper()
    const addressId = await shop.newAddress(who)
    const { variantId } = await shop.fillCart(who)
    const [placed, closed] = await inTurn(who, place(who, addressId), close(who))
    expect([placed.status, closed.status]).toEqual([201, 204])
    await expectClosed(who)
    expect(await shop.heldOf(variantId)).toBe(0)
  })

  test('an order that is placed after it: there is none', async () => {
    const who = await shop.newShopper()
    const addressId = await shop.newAddress(who)
    const { variantId } = await shop.fillCart(who)
    const [closed, placed] = await inTurn(who, close(who), place(who, addressId))
    expect(closed.status).toBe(204)
    expect([placed.status, placed.body.code]).toEqual([400, 'cart_empty'])
    await expectClosed(who)
    expect(await shop.heldOf(variantId)).toBe(0)
  })

  test('an order and its payment in one go: before it, it keeps the account open; after it there is none', async () => {
    const shippingAddress = { name: 'Noa', line1: '1 Rd', city: 'Haifa', postalCode: '1', country: 'IL' }
    const wish = { gateway: 'stripe', shippingAddress, currency: 'INR' }
    for (const first of orders) {
      const who = await shop.newShopper()
      await shop.fillCart(who)
      const pay = () => who.send('POST', '/api/payments/create-from-cart', wish, { 'idempotency-key': 'pay' })
      const [paid, closed] = await meet(who, first, pay)
      const placed = await sql('select status from pantry.orders where account_id = $1', [who.user.id])
      if (first === 'rival') {
        expect([paid.status, closed.status]).toEqual([201, 409])
        expect([closed.body.code, placed]).toEqual(['account_unsettled', [{ status: 'awaiting_payment' }]])
      } else {
        expect([paid.status, closed.status, placed]).toEqual([400, 204, []])
        await expectClosed(who)
      }
    }
  })

  test('what comes after it for the account: no address, wish or cart is kept for a person who has left', async () => {
    const { productId } = await shop.newProduct()
    const address = { name: 'Noa', line1: '1 Rd', city: 'Haifa', postalCode: '1', country: 'IL' }
    const writes: Record<string, (who: Shopper) => Promise<{ status: number; body: any }>> = {
      address: (who) => who.send('POST', '/api/addresses', address),
      wish: (who) => who.send('PUT', `/api/wishlist/${productId}`),
      cart: (who) => who.send('POST', '/api/cart/add', { productId, quantity: 1 }),
      'first look at the cart': (who) => who.send('GET', '/api/cart'),
      name: (who) => who.send('PATCH', '/api/me', { name: 'Dana' }),
    }
    for (const [name, write] of Object.entries(writes)) {
      const late = await shop.newShopper()
      const [closed, written] = await inTurn(late, close(late), () => write(late))
      expect([name, closed.status, [401, 409].includes(written.status)]).toEqual([name, 204, true])
      await expectClosed(late)
      expect([name, (await write(late)).status]).toEqual([name, 401])

      const early = await shop.newShopper()
      const [before, after] = await inTurn(early, () => write(early), close(early))
      expect([name, before.status < 300, after.status]).toEqual([name, true, 204])
      await expectClosed(early)
    }
  })

  test('a log-in: no session outlives it, whichever was first', async () => {
    for (const first of orders) {
      const who = await shop.newShopper()
      const { email, password } = who
      const [entered, closed] = await meet(who, first, () => shop.send('POST', '/api/auth/login', { email, password }))
      expect(closed.status).toBe(204)
      // Where it was first, its session may have ended before its tokens were made, or after.
      if (first === 'close') expect([entered.status, entered.body.code]).toEqual([401, 'credentials_invalid'])
      else expect([200, 401]).toContain(entered.status)
      if (entered.status === 200)
        expect((await shop.sendTo(shop.second, entered.body.accessToken)('GET', '/api/me')).status).toBe(401)
      await expectClosed(who)
    }
  })

  test('a refresh: what it hands out is good for nothing', async () => {
    for (let round = 0; round < 15; round++) {
      const who = await shop.newShopper()
      const [fresh, closed] = await Promise.all([
        shop.send<SignedIn>('POST', '/api/auth/refresh', { refreshToken: who.refreshToken }),
        close(who)(),
      ])
      expect(closed.status).toBe(204)
      expect([200, 401]).toContain(fresh.status)
      if (fresh.status === 200) {
        const { accessToken, refreshToken } = fresh.body
        expect((await shop.sendTo(shop.second, accessToken)('GET', '/api/me')).status).toBe(401)
        expect((await shop.send('POST', '/api/auth/refresh', { refreshToken })).status).toBe(401)
      }
      await expectClosed(who)
    }
  })

  test('a new password by a link: nobody gets in by it, whichever was first', async () => {
    const { tokens } = shop.composed.pantry
    for (const first of orders) {
      const who = await shop.newShopper()
      await shop.send('POST', '/api/auth/password/forgot', { email: who.email })
      const [link] = await sql('select id from pantry.password_reset where account_id = $1', [who.user.id])
      const wish = { token: tokens.resetTokenOf(link!.id), password: 'another long password' }
      const [set, closed] = await meet(who, first, () => shop.send('POST', '/api/auth/password/reset', wish))
      expect(closed.status).toBe(204)
      expect([set.status, set.body?.code]).toEqual(first === 'close' ? [422, 'reset_invalid'] : [204, undefined])
      const credentials = { email: who.email, password: wish.password }
      expect((await shop.send('POST', '/api/auth/login', credentials)).status).toBe(401)
      await expectClosed(who)
    }
  })

  test('a link to a new password that is asked for: none is left', async () => {
    for (const first of orders) {
      const who = await shop.newShopper()
      const forgot = () => shop.send('POST', '/api/auth/password/forgot', { email: who.email })
      expect((await meet(who, first, forgot)).map(({ status }) => status)).toEqual([202, 204])
      await expectClosed(who)
    }
  })

  test('somebody who registers its address: it is taken until it is free, and never twice', async () => {
    for (let round = 0; round < 10; round++) {
      const who = await shop.newShopper()
      const { email, password } = who
      const [made, closed] = await Promise.all([
        shop.send('POST', '/api/auth/register', { email, password, name: 'Anew' }),
        close(who)(),
      ])
      expect(closed.status).toBe(204)
      expect([201, 409]).toContain(made.status)
      const open = await sql('select from pantry.account where email_key = $1 and closed_at is null', [email])
      expect(open).toHaveLength(made.status === 201 ? 1 : 0)
      await expectClosed(who)
    }
  })

  test('all of these at once, many times: an account is closed with nothing left, or whole', async () => {
    const { productId } = await shop.newProduct({ stock: 1000 })
    for (let round = 0; round < 12; round++) {
      const who = await shop.newShopper()
      const addressId = await shop.newAddress(who)
      await shop.fillCart(who)
      const { email, password, refreshToken } = who
      const away = elsewhere(who)
      const [closed] = await Promise.all([
        close(who)(),
        place(who, addressId)(),
        shop.send('POST', '/api/auth/login', { email, password }),
        shop.send('POST', '/api/auth/refresh', { refreshToken }),
        shop.send('POST', '/api/auth/password/forgot', { email }),
        away('POST', '/api/cart/add', { productId, quantity: 1 }),
        who.send('PUT', `/api/wishlist/${productId}`),
        away('PATCH', '/api/me', { name: 'Dana' }),
      ])
      expect([204, 409]).toContain(closed.status)
      if (closed.status === 204) await expectClosed(who)
      else {
        expect(['account_unsettled', 'conflict']).toContain(closed.body.code)
        expect((await who.send('GET', '/api/me')).body.email).toBe(email)
      }
    }
  })
})
