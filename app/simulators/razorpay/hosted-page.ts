import { createHash } from 'node:crypto'
import type { Answer } from '../simulator-server.ts'
import { choiceButtons, escape, testPage } from '../test-page.ts'
import type { Work } from './book.ts'
import type { Order, Payment } from './objects.ts'
import { getOrder } from './orders.ts'
import { attemptPayment } from './payments.ts'
import { RazorpayError } from './razorpay-error.ts'
import { signReturn } from './signatures.ts'

/** Fields that go on from the shop's form to ours; `prefill[email]` and `notes[…]` with them. */
const mandatory = ['key_id', 'order_id', 'amount', 'currency', 'name', 'callback_url'] as const

export interface Merchant {
  readonly keyId: string
  readonly keySecret: string
}

/**
 * `POST /v1/checkout/embedded`, plain HTML. It keeps nothing: its buttons post the shop's own fields again, with an `action`
 * (`pay`, `authorize`, `silent`, `decline`, `leave`), so that faults and the call log see both steps alike. What comes of it
 * goes back as at Razorpay: a form of three fields, or of `error[…]`, posted to `callback_url`; `leave` is a GET of `cancel_url`.
 */
export function serveHostedPage(work: Work, merchant: Merchant, fields: Readonly<Record<string, string>>): Answer {
  try {
    const missing = mandatory.find((name) => !fields[name])
    if (missing) throw new RazorpayError(400, `The ${missing.replace('_', ' ')} field is required.`)
    if (fields['key_id'] !== merchant.keyId) throw new RazorpayError(401, 'The api key provided is invalid')
    const order = getOrder(work, fields['order_id'] ?? '')
    if (order.status === 'paid') throw new RazorpayError(400, 'This order is already paid. Nothing more was charged.')
    if (Number(fields['amount']) !== order.amount || fields['currency'] !== order.currency)
      throw new RazorpayError(400, 'Payment failed because the amount is different from your order amount.')
    return act(work, merchant, order, fields)
  } catch (error) {
    if (error instanceof RazorpayError)
      return page(error.status, 'Payment', `<p role="alert">${escape(error.message)}</p>`)
    throw error
  }
}

function act(work: Work, merchant: Merchant, order: Order, fields: Readonly<Record<string, string>>): Answer {
  const { action, ...shop } = fields
  const attempt = {
    ...(fields['description'] && { description: fields['description'] }),
    ...(fields['prefill[email]'] && { email: fields['prefill[email]'] }),
    notes: notesOf(fields),
  }
  switch (action) {
    case 'pay': {
      if (work.ordered?.decline)
        return returnFailure(
          attemptPayment(work, order, { ...attempt, outcome: 'failed', reason: work.ordered.decline.code }),
          shop,
        )
      if (work.ordered?.silent) return silence(work, order, attempt)
      const automatic = work.book.captureModes.get(order.id) === 'automatic'
      return returnSuccess(
        attemptPayment(work, order, { ...attempt, outcome: automatic ? 'captured' : 'authorized' }),
        merchant,
        shop,
      )
    }
    case 'authorize':
      attemptPayment(work, order, { ...attempt, outcome: 'authorized' })
      return page(200, 'Payment', '<p>The bank holds the amount. You may close this page.</p>')
    case 'silent':
      return silence(work, order, attempt)
    case 'decline':
      return returnFailure(attemptPayment(work, order, { ...attempt, outcome: 'failed' }), shop)
    case 'leave':
      return fields['cancel_url']
        ? { status: 303, headers: { location: fields['cancel_url'] }, body: '' }
        : page(200, 'Payment', '<p>Nothing was charged. You may close this page.</p>')
    default:
      return page(200, 'Checkout', choices(order, shop))
  }
}

function silence(work: Work, order: Order, attempt: { readonly notes: Record<string, string> }): Answer {
  attemptPayment(work, order, { ...attempt, outcome: 'silent' })
  return page(200, 'Payment', '<p>The bank does not answer. You may close this page.</p>')
}

function notesOf(fields: Readonly<Record<string, string>>): Record<string, string> {
  const found = Object.entries(fields).map(([name, value]) => [/^notes\[(.+)\]$/.exec(name)?.[1], value] as const)
  return Object.fromEntries(found.filter((entry): entry is [string, string] => entry[0] !== undefined))
}

function returnSuccess(payment: Payment, merchant: Merchant, shop: Readonly<Record<string, string>>): Answer {
  return postTo(shop['callback_url'] ?? '', {
    razorpay_payment_id: payment.id,
    razorpay_order_id: payment.order_id,
    razorpay_signature: signReturn(payment.order_id, payment.id, merchant.keySecret),
  })
}

function returnFailure(payment: Payment, shop: Readonly<Record<string, string>>): Answer {
  return postTo(shop['callback_url'] ?? '', {
    'error[code]': payment.error_code ?? '',
    'error[description]': payment.error_description ?? '',
    'error[source]': payment.error_source ?? '',
    'error[step]': payment.error_step ?? '',
    'error[reason]': payment.error_reason ?? '',
    'error[metadata]': JSON.stringify({ payment_id: payment.id, order_id: payment.order_id }),
  })
}

function choices(order: Order, shop: Readonly<Record<string, string>>): string {
  return `<p>${escape(shop['name'] ?? '')}: ${escape(shop['description'] ?? '')}</p>
<p>To pay<br><strong>${money(order.amount, order.currency)}</strong></p>
<form method="post">${hidden(shop)}
${choiceButtons(buttons)}
</form>`
}

const buttons = [
  { name: 'action', value: 'pay', label: 'Pay', does: 'Takes the money, and takes you back to the shop.' },
  { name: 'action', value: 'decline', label: 'Be declined', does: 'The bank says no: nothing is charged.' },
  {
    name: 'action',
    value: 'authorize',
    label: 'Pay, and close the window',
    does: 'The bank holds the amount, and you do not come back: the shop hears of it from Razorpay alone.',
  },
  {
    name: 'action',
    value: 'silent',
    label: 'Pay, and hear nothing from the bank',
    does: 'Nobody knows what became of it, until the bank says so.',
  },
  { name: 'action', value: 'leave', label: 'Leave', does: 'Nothing is charged. You go back to the shop.' },
]

const submit = 'document.forms[0].submit()'
const submitHash = createHash('sha256').update(submit).digest('base64')

/** The customer's browser posts `fields` to the shop at once; the button is for browsers without scripts. */
function postTo(url: string, fields: Readonly<Record<string, string>>): Answer {
  return page(
    200,
    'Back to the shop',
    `<form method="post" action="${escape(url)}">${hidden(fields)}<button>Go on</button></form><script>${submit}</script>`,
  )
}

function hidden(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`)
    .join('')
}

function page(status: number, title: string, content: string): Answer {
  const note = 'Simulated payment page. No money moves.'
  return testPage({ status, title, note, content, policy: `script-src 'sha256-${submitHash}'` })
}

function money(amount: number, currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  return escape(format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2)))
}
