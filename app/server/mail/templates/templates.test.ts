import { describe, expect, it, test } from 'vitest'
import type { Locale } from '../../accounts/accounts.ts'
import { formatMoney, type RenderedMail } from '../letter.ts'
import { confirmation } from './confirmation.ts'
import { dispute } from './dispute.ts'
import type { OrderLetterData } from './order-letter.ts'
import { passwordReset } from './password-reset.ts'
import { paymentFailed } from './payment-failed.ts'
import { receipt } from './receipt.ts'
import { refundDelayed } from './refund-delayed.ts'
import { refund } from './refund.ts'

const inr = (amount: number) => ({ amount, currency: 'INR' })
const order: OrderLetterData = {
  orderId: '0199c0de-0000-7000-8000-0000deadbeef',
  placedAt: new Date('2026-03-01T10:00:00Z'),
  lines: [
    { name: 'Basmati rice', quantity: 3, unitPrice: inr(12_505) },
    { name: 'Salt', quantity: 1, unitPrice: inr(1) },
  ],
  total: inr(37_516),
  amount: inr(37_516),
  shippingAddress: { name: 'Noa', line1: '1 Road', city: 'Pune', postalCode: '411001', country: 'IN' },
  billingAddress: { name: 'Noa', line1: '1 Road', city: 'Pune', postalCode: '411001', country: 'IN' },
  shopUrl: 'https://shop.example.com',
}

const mails: Record<string, (data: OrderLetterData, locale: Locale) => RenderedMail> = {
  confirmation,
  receipt,
  refund,
  paymentFailed,
}

/** As a reader sees it: without the marks that only set directions, and with plain spaces. */
const seen = (text: string) => text.replace(/[\u200e\u200f\u2066-\u2069]/g, '').replaceAll('\u00a0', ' ')

describe.each(Object.entries(mails))('the mail %s', (_, render) => {
  it.each([
    ['en', 'ltr', '₹375.16'],
    ['he', 'rtl', '375.16 ₹'],
  ] as const)('in %s reads %s, and says number, lines, total and where to look', (locale, direction, total) => {
    const { subject, text, html } = render(order, locale)
    expect(subject).toContain('DEADBEEF')
    expect(/[\u0590-\u05ff]/.test(subject)).toBe(locale === 'he')
    expect(html).toContain(`<html lang="${locale}" dir="${direction}">`)
    for (const form of [seen(text), seen(html)]) {
      expect(form).toMatch(/3 × .*Basmati rice/)
      expect(form).toMatch(/1 × .*Salt/)
      expect(form).toContain(total)
      expect(form).toContain(`https://shop.example.com/?order=${order.orderId}`)
    }
  })

  it('says nothing of a customer as HTML, in either language', () => {
    const hostile = `<img src=x onerror="alert('1')">&`
    const address = { ...order.shippingAddress, name: hostile, line1: hostile, line2: hostile, city: hostile }
    for (const locale of ['en', 'he'] as const) {
      const { html, text } = render(
        {
          ...order,
          lines: [{ name: hostile, quantity: 1, unitPrice: inr(1) }],
          shippingAddress: address,
          shopUrl: 'https://shop.example.com/"><script>',
        },
        locale,
      )
      expect(html).not.toMatch(/<img|<script|onerror="|alert\('/)
      expect(html).toContain('&#60;img src=x onerror=&#34;alert(&#39;1&#39;)&#34;&#62;&#38;')
      // In plain text there is nothing to escape.
      expect(text).toContain(hostile)
    }
  })
})

test('a receipt says what was paid and both addresses where they differ, one where they do not', () => {
  expect(receipt(order, 'en').text).toContain('Delivered and billed to:\nNoa\n1 Road\nPune 411001\nIndia')
  const billed = { ...order, billingAddress: { ...order.billingAddress, name: 'Dana Ltd' } }
  const { text } = receipt(billed, 'en')
  expect(text).toContain('Delivered to:\nNoa')
  expect(text).toContain('Billed to:\nDana Ltd')
  expect(seen(receipt(billed, 'he').text)).toContain('כתובת לחיוב:\nDana Ltd')
})

test('a refund says what was given back, which may be a part', () => {
  const { text } = refund({ ...order, amount: inr(10_000) }, 'en')
  expect(text).toContain('We have refunded ₹100.00')
  expect(text).toContain('Total: ₹375.16')
  expect(seen(refund({ ...order, amount: inr(10_000) }, 'he').text)).toContain('החזרנו 100.00 ₹')
})

test('a Latin name stands by itself within a Hebrew text, and a Hebrew one within an English text', () => {
  expect(receipt(order, 'he').text).toContain('3 × \u2068Basmati rice\u2069')
  expect(receipt(order, 'he').html).toContain('<bdi>Basmati rice</bdi>')
  const hebrew = { ...order, lines: [{ name: 'אורז', quantity: 1, unitPrice: inr(1) }] }
  expect(receipt(hebrew, 'en').text).toContain('1 × \u2068אורז\u2069')
  expect(receipt(hebrew, 'he').text).toContain('1 × אורז')
})

test('a link to a new password says how long it is good', () => {
  for (const locale of ['en', 'he'] as const) {
    const { text, html } = passwordReset({ url: 'https://shop.example.com/#reset=a.b&x="', validMinutes: 60 }, locale)
    expect(text).toContain('https://shop.example.com/#reset=a.b&x="')
    expect(html).toContain('href="https://shop.example.com/#reset=a.b&#38;x=&#34;"')
    expect(text).toContain('60')
  }
})

test.each([
  ['inquiry', true],
  ['open', true],
  ['won', false],
  ['lost', false],
  ['closed', false],
] as const)(
  'of a dispute that is %s the shop is told which, over how much, and by when to answer where it can be',
  (status, answer) => {
    const data = {
      orderId: order.orderId,
      paymentId: 'payment-1',
      gateway: 'stripe',
      disputeId: 'dp_1',
      status,
      amount: inr(10_000),
      reason: '<b>fraud</b>',
      respondBy: '2026-03-09T00:00:00.000Z',
    }
    for (const locale of ['en', 'he'] as const) {
      const { subject, text, html } = dispute(data, locale)
      expect(subject).toContain('DEADBEEF')
      expect(html).not.toContain('<b>')
      for (const said of ['dp_1', 'payment-1', order.orderId, '100.00', '<b>fraud</b>'])
        expect(seen(text)).toContain(said)
      expect(text.includes('2026')).toBe(answer)
    }
  },
)

test('of a refund that takes long the shop is told since when, and how much is on its way', () => {
  const data = {
    orderId: order.orderId,
    paymentId: 'payment-1',
    gateway: 'stripe',
    amount: inr(10_000),
    since: '2026-03-09T00:00:00.000Z',
  }
  expect(refundDelayed(data, 'en').text).toContain('₹100.00 have been on their way back since March 9, 2026')
  expect(seen(refundDelayed(data, 'he').text)).toContain('100.00 ₹')
})

test('money is exact, whatever the size and however many minor units there are', () => {
  expect(formatMoney({ amount: Number.MAX_SAFE_INTEGER, currency: 'USD' }, 'en')).toBe('$90,071,992,547,409.91')
  expect(formatMoney({ amount: 5, currency: 'USD' }, 'en')).toBe('$0.05')
  expect(formatMoney({ amount: -1234, currency: 'USD' }, 'en')).toBe('-$12.34')
  expect(formatMoney({ amount: 500, currency: 'JPY' }, 'en')).toBe('¥500')
  expect(formatMoney({ amount: 1234, currency: 'KWD' }, 'en').replace('\u00a0', ' ')).toBe('KWD 1.234')
  expect(seen(formatMoney({ amount: 12_050, currency: 'ILS' }, 'he'))).toBe('120.50 ₪')
})
