import { describe, expect, it } from 'vitest'
import type { Payment } from '../payments/payments.ts'
import type { Standing } from '../payments/standing.ts'
import { decideSettle } from './decide-settle.ts'
import type { Order } from './orders.ts'

const total = { amount: 100, currency: 'INR' }
const payment = (status: Payment['status'], more: Partial<Payment> = {}) =>
  ({
    id: 'p',
    status,
    pageId: 'page',
    unwanted: false,
    captured: 0,
    refunded: 0,
    pending: 0,
    aside: 0,
    amount: total,
    ...more,
  }) as Payment
const other = (status: Payment['status']) => ({ ...payment(status), id: 'other' })
const order = (status: Order['status'], current: Payment) => ({ status, total, payment: current })

const open: Standing = { state: 'open', url: 'x', declined: null }
const declinedThere: Standing = { ...open, declined: { code: 'insufficient_funds', message: '' } }
const authorized: Standing = { state: 'authorized', reference: 'r', ...total }
const captured = { state: 'captured', reference: 'r', captured: 100, refunded: 0, currency: 'INR' } as const
const gone: Standing = { state: 'gone', pageOpen: false }

describe('what becomes of a payment that stands so at its gateway', () => {
  it.each<[Order['status'], Payment, Standing, string]>([
    ['awaiting_payment', payment('requires_action'), open, 'nothing'],
    ['awaiting_payment', payment('requires_action'), declinedThere, 'decline'],
    ['failed', payment('failed'), declinedThere, 'nothing'],
    ['cancelled', payment('failed'), open, 'close'],
    ['processing', payment('processing'), { state: 'processing', reference: 'r' }, 'nothing'],
    ['processing', payment('processing'), { state: 'declined', reference: 'r' }, 'decline'],
    ['awaiting_payment', payment('requires_action'), gone, 'void'],
    ['awaiting_payment', payment('voided'), gone, 'nothing'],
    ['awaiting_payment', payment('requires_action'), authorized, 'capture'],
    ['awaiting_payment', payment('requires_action'), { ...authorized, amount: 99 }, 'return'],
    ['cancelled', payment('voided'), authorized, 'return'],
    ['awaiting_payment', payment('requires_action'), captured, 'complete'],
    ['processing', payment('processing'), captured, 'complete'],
    ['failed', payment('failed'), captured, 'complete'],
    ['error', payment('captured'), captured, 'complete'],
    ['completed', payment('captured'), captured, 'nothing'],
    ['cancelled', payment('voided'), captured, 'return'],
    ['awaiting_payment', payment('voided', { unwanted: true }), captured, 'return'],
    ['awaiting_payment', payment('requires_action'), { ...captured, captured: 101 }, 'return'],
    ['awaiting_payment', payment('requires_action'), { ...captured, currency: 'USD' }, 'return'],
    ['completed', payment('captured', { unwanted: true }), captured, 'return'],
    ['completed', payment('refunding', { captured: 100 }), captured, 'refund-failed'],
    ['cancelled', payment('refunding'), { ...captured, refunded: 100, refundPending: 100 }, 'nothing'],
    ['cancelled', payment('refunding'), { ...captured, refunded: 100, refundPending: 40 }, 'nothing'],
    ['cancelled', payment('refunding'), { ...captured, refunded: 100 }, 'refunded'],
    ['completed', payment('captured'), { ...captured, refunded: 100, refundPending: 100 }, 'note-refund'],
    ['completed', payment('captured'), { ...captured, refunded: 100, refundPending: 60 }, 'note-refund'],
    [
      'completed',
      payment('captured', { refunded: 40 }),
      { ...captured, refunded: 40, refundPending: 40 },
      'note-refund',
    ],
    [
      'completed',
      payment('captured', { refunded: 40, pending: 40 }),
      { ...captured, refunded: 40, refundPending: 40 },
      'nothing',
    ],
    ['completed', payment('captured', { refunded: 40, pending: 40 }), { ...captured, refunded: 40 }, 'note-refund'],
    ['completed', payment('captured', { refunded: 40, pending: 40 }), captured, 'refund-failed'],
    ['completed', payment('captured', { refunded: 40 }), { ...captured, refunded: 30 }, 'refund-failed'],
    ['cancelled', payment('refunded', { refunded: 100 }), { ...captured, refunded: 100 }, 'nothing'],
    ['cancelled', payment('refunded', { refunded: 100 }), { ...captured, refunded: 60 }, 'refund-failed'],
    ['cancelled', payment('captured', { owed: 100, unwanted: true }), captured, 'nothing'],
    ['cancelled', payment('refunded', { refunded: 100, aside: 100 }), captured, 'nothing'],
    ['completed', payment('captured', { refunded: 40, aside: 40 }), captured, 'nothing'],
    ['completed', payment('captured', { refunded: 40, aside: 40 }), { ...captured, refunded: 30 }, 'note-refund'],
    ['completed', payment('captured', { refunded: 70, aside: 40 }), { ...captured, refunded: 20 }, 'refund-failed'],
    ['completed', payment('captured', { refunded: 40, aside: 40 }), { ...captured, refunded: 60 }, 'refunded'],
    ['completed', payment('captured', { captured: 100 }), { ...captured, refunded: 40 }, 'note-refund'],
    ['completed', payment('captured', { captured: 100, refunded: 40 }), { ...captured, refunded: 40 }, 'nothing'],
    ['completed', payment('captured'), { ...captured, refunded: 100 }, 'refunded'],
    ['awaiting_payment', payment('requires_action'), { ...captured, refunded: 100 }, 'refunded'],
  ])('order %s, payment %o, at the gateway %o: %s', (status, own, standing, decision) => {
    expect(decideSettle(order(status, own), own, standing).settle).toBe(decision)
  })

  it.each([
    ['awaiting_payment', other('requires_action'), 'return'],
    ['completed', other('captured'), 'return'],
    ['failed', other('failed'), 'complete'],
  ] as const)('a capture of an order that is %s by another payment: %s', (status, current, decision) => {
    expect(decideSettle(order(status, current), payment('failed'), captured).settle).toBe(decision)
  })

  it('what has failed to go back is sent again by the sweep only', () => {
    const owing = payment('captured', { owed: 100, unwanted: true })
    expect(decideSettle(order('cancelled', owing), owing, captured, { retry: true }).settle).toBe('return')
  })

  it('a look that is older than the booking undoes nothing of it', () => {
    const booked = payment('captured', { captured: 100 })
    for (const stale of [open, declinedThere, authorized, gone, captured])
      expect(decideSettle(order('completed', booked), booked, stale).settle).toBe('nothing')
  })
})
