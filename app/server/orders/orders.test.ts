import { uuidv7 } from 'safepoint'
import { describe, expect, it } from 'vitest'
import { paymentMoves, paymentStatuses, type Payment } from '../payments/payments.ts'
import { orderWorld, placeOne } from '../test/order-world.ts'
import { decideCancel, decideConfirm, isExpired, orderMoves, orderStatuses, type Order } from './orders.ts'

const world = await orderWorld()
const { sql } = world

describe('the tables of moves', () => {
  it('are enforced by the database, for orders: every allowed move is made, every other one is refused', async () => {
    const { order } = await placeOne(world)
    const allowed: string[] = []
    for (const from of orderStatuses) {
      for (const to of orderStatuses) {
        if (from === to) continue
        // The starting point is set with the trigger off; the move itself with it on.
        await sql('alter table pantry.orders disable trigger order_move')
        await sql('update pantry.orders set status = $2 where id = $1', [order.id, from])
        await sql('alter table pantry.orders enable trigger order_move')
        const moved = await sql('update pantry.orders set status = $2 where id = $1', [order.id, to]).then(
          () => true,
          (error) => {
            expect(error.code).toBe('SP002')
            return false
          },
        )
        if (moved) allowed.push(`${from} -> ${to}`)
      }
    }
    expect(allowed.toSorted()).toEqual(
      Object.entries(orderMoves)
        .flatMap(([from, tos]) => tos.map((to) => `${from} -> ${to}`))
        .toSorted(),
    )
  })

  it('are enforced by the database, for payments', async () => {
    const { order } = await placeOne(world)
    const id = uuidv7()
    await sql(
      `insert into pantry.payment (id, order_id, gateway, status, amount, currency) values ($1, $2, 'stripe', 'created', 1, 'INR')`,
      [id, order.id],
    )
    const allowed: string[] = []
    for (const from of paymentStatuses) {
      for (const to of paymentStatuses) {
        if (from === to) continue
        await sql('alter table pantry.payment disable trigger payment_move')
        await sql('update pantry.payment set status = $2 where id = $1', [id, from])
        await sql('alter table pantry.payment enable trigger payment_move')
        const moved = await sql('update pantry.payment set status = $2 where id = $1', [id, to]).then(
          () => true,
          () => false,
        )
        if (moved) allowed.push(`${from} -> ${to}`)
      }
    }
    expect(allowed.toSorted()).toEqual(
      Object.entries(paymentMoves)
        .flatMap(([from, tos]) => tos.map((to) => `${from} -> ${to}`))
        .toSorted(),
    )
  })

  it('refuse a second live payment, a second order of a cart, and another total', async () => {
    const { order } = await placeOne(world)
    const insert = () =>
      sql(
        `insert into pantry.payment (id, order_id, gateway, status, amount, currency) values ($1, $2, 'stripe', 'processing', 1, 'INR')`,
        [uuidv7(), order.id],
      )
    await insert()
    await expect(insert()).rejects.toMatchObject({ constraint: 'payment_live' })
    await expect(sql('update pantry.orders set total = total + 1 where id = $1', [order.id])).rejects.toMatchObject({
      code: 'SP002',
    })
    await expect(
      sql(
        `insert into pantry.orders (id, account_id, cart_id, status, reason, total, currency, shipping_address, billing_address, reserved_until)
        select $2, account_id, cart_id, 'pending', 'placed', 1, 'INR', '{}', '{}', now() from pantry.orders where id = $1`,
        [order.id, uuidv7()],
      ),
    ).rejects.toMatchObject({ constraint: 'orders_cart_id_key' })
  })
})

describe('decisions', () => {
  const now = new Date('2026-01-01T12:00:00Z')
  const order = {
    status: 'pending',
    fulfilment: 'none',
    reservedUntil: new Date(now.getTime() + 1),
    closingBy: undefined,
    payment: undefined,
  } as Order
  const payment = (status: Payment['status']) => ({ status, gateway: 'stripe' }) as Payment
  const wish = { gateway: 'stripe', hosted: true }

  it.each([
    [{ status: 'pending' }, 'at-once'],
    [{ status: 'failed', payment: payment('failed') }, 'at-once'],
    [{ status: 'awaiting_payment', payment: payment('voided') }, 'at-once'],
    [{ status: 'awaiting_payment', payment: payment('requires_action') }, 'return-money'],
    [{ status: 'awaiting_payment', payment: payment('created') }, 'refused'],
    [{ status: 'processing', payment: payment('processing') }, 'refused'],
    [{ status: 'payment_verified', payment: payment('captured') }, 'refused'],
    [{ status: 'completed', payment: payment('captured') }, 'return-money'],
    [{ status: 'completed', payment: payment('refunding'), closingBy: 'other' }, 'refused'],
    [{ status: 'completed', payment: payment('refunding'), closingBy: 'me' }, 'return-money'],
    [{ status: 'completed', fulfilment: 'shipped', payment: payment('captured') }, 'refused'],
    [{ status: 'error', payment: payment('captured') }, 'return-money'],
    [{ status: 'cancelled' }, 'done'],
  ] as const)('cancelling %o takes: %s', (given, decision) => {
    expect(decideCancel({ ...order, ...given } as Order, 'me').cancel).toBe(decision)
  })

  it.each([
    [{ status: 'pending' }, { confirm: 'start' }],
    [{ status: 'failed', payment: payment('failed') }, { confirm: 'start' }],
    [
      { status: 'awaiting_payment', payment: payment('requires_action') },
      { confirm: 'waiting', close: false },
    ],
    [
      { status: 'awaiting_payment', payment: { ...payment('requires_action'), gateway: 'cardcom' } },
      { confirm: 'waiting', close: true },
    ],
    [{ status: 'awaiting_payment', payment: payment('processing') }, { confirm: 'refused' }],
    [{ status: 'processing' }, { confirm: 'refused' }],
    [{ status: 'completed', payment: payment('captured') }, { confirm: 'paid' }],
    [{ status: 'completed', payment: payment('refunding'), closingBy: 'other' }, { confirm: 'refused' }],
    [{ status: 'pending', closingBy: 'other' }, { confirm: 'refused' }],
    [{ status: 'cancelled' }, { confirm: 'refused', because: 'cancelled' }],
  ] as const)('confirming %o takes: %o', (given, decision) => {
    expect(decideConfirm({ ...order, ...given } as Order, wish)).toMatchObject(decision)
  })

  it('only an unpaid order runs out, at its time', () => {
    expect(isExpired({ status: 'pending', reservedUntil: now }, now)).toBe(true)
    expect(isExpired({ status: 'pending', reservedUntil: new Date(now.getTime() + 1) }, now)).toBe(false)
    expect(isExpired({ status: 'processing', reservedUntil: now }, now)).toBe(false)
    expect(isExpired({ status: 'completed', reservedUntil: now }, now)).toBe(false)
  })
})
