import type { Answer, Request } from '../simulator-server.ts'
import type { Work } from './book.ts'
import type { Sessions } from './checkout-sessions.ts'
import type { CheckoutSession, PaymentIntent } from './objects.ts'
import { confirmIntent, createIntent, getIntent, settleIntent } from './payment-intents.ts'
import { testCards } from './payment-methods.ts'
import { StripeError } from './stripe-error.ts'

const authenticationFailure = {
  code: 'payment_intent_authentication_failure',
  declineCode: 'authentication_not_handled',
  message: 'We are unable to authenticate your payment method. Please choose a different payment method and try again.',
}

/**
 * The pages a customer meets, plain HTML without scripts:
 * `/pay/checkout/:session` (choose a test card, pay or go back) and `/pay/authenticate/:intent` (what a bank asks).
 */
export function servePage(work: Work, sessions: Sessions, request: Request): Answer {
  try {
    const [, kind, id = ''] = /^\/pay\/(checkout|authenticate)\/([^/]+)$/.exec(request.url.pathname) ?? []
    const form = new URLSearchParams(request.body)
    if (kind === 'checkout') return checkoutPage(work, sessions, sessions.get(work, id), request.method, form)
    if (kind === 'authenticate') {
      const intent = getIntent(work, id)
      if (request.url.searchParams.get('client_secret') !== intent.client_secret)
        return page(403, 'Payment', '<p>This link is not valid.</p>')
      return authenticatePage(work, sessions, intent, request.method, form)
    }
    return page(404, 'Not found', '<p>There is no such page.</p>')
  } catch (error) {
    if (error instanceof StripeError)
      return page(error.status, 'Payment', `<p role="alert">${escape(error.message)}</p>`)
    throw error
  }
}

function checkoutPage(
  work: Work,
  sessions: Sessions,
  session: CheckoutSession,
  method: string,
  form: URLSearchParams,
): Answer {
  if (session.status === 'complete') return redirect(successUrl(session))
  if (session.status === 'expired')
    return page(410, 'Expired', '<p>This checkout has expired. Nothing was charged.</p>')
  if (method !== 'POST') return page(200, 'Checkout', checkoutForm(sessions, session))
  if (form.get('action') === 'back')
    return session.cancel_url ? redirect(session.cancel_url) : page(200, 'Checkout', checkoutForm(sessions, session))

  const card = form.get('payment_method') ?? ''
  const { description, intentMetadata } = sessions.extra(session.id)
  const returnUrl = `${work.pages}/pay/checkout/${session.id}`
  try {
    // One intent a session: a second try, after a decline, is a second attempt at the same one.
    const earlier = session.payment_intent ? work.book.intents.get(session.payment_intent) : undefined
    const intent =
      earlier ??
      createIntent(work, {
        amount: session.amount_total,
        currency: session.currency,
        payment_method_types: ['card'],
        metadata: { ...intentMetadata },
        ...(description === undefined ? {} : { description }),
        ...(session.customer === null ? {} : { customer: session.customer }),
      })
    session.payment_intent = intent.id
    confirmIntent(work, intent, { payment_method: card, return_url: returnUrl })
    const redirectTo = (intent.next_action as { redirect_to_url?: { url: string } } | null)?.redirect_to_url
    if (redirectTo) return redirect(redirectTo.url)
  } catch (error) {
    if (!(error instanceof StripeError)) throw error
    return page(200, 'Checkout', checkoutForm(sessions, session, error.message))
  }
  completeIfPaid(work, session)
  return redirect(session.status === 'open' ? returnUrl : successUrl(session))
}

function authenticatePage(
  work: Work,
  sessions: Sessions,
  intent: PaymentIntent,
  method: string,
  form: URLSearchParams,
): Answer {
  const action = intent.next_action as { redirect_to_url?: { return_url: string } } | null
  const returnUrl = action?.redirect_to_url?.return_url
  if (intent.status !== 'requires_action')
    return page(409, 'Payment', `<p>This payment is ${escape(intent.status)}.</p>`)
  if (method !== 'POST') {
    return page(
      200,
      'Confirm your payment',
      `<p>Your bank asks: pay <strong>${money(intent.amount, intent.currency)}</strong>?</p>
<form method="post"><button name="decision" value="approve">Approve</button> <button name="decision" value="refuse">Refuse</button></form>`,
    )
  }
  const approved = form.get('decision') === 'approve'
  settleIntent(work, intent, approved ? 'succeeded' : 'failed', authenticationFailure)
  const session = [...work.book.sessions.values()].find((one) => one.payment_intent === intent.id)
  if (session) completeIfPaid(work, sessions.get(work, session.id))
  if (returnUrl === undefined)
    return page(200, 'Payment', `<p>${approved ? 'Paid.' : 'Not paid.'} You may close this page.</p>`)
  const back = new URL(returnUrl)
  back.searchParams.set('payment_intent', intent.id)
  back.searchParams.set('payment_intent_client_secret', intent.client_secret)
  back.searchParams.set('redirect_status', approved ? 'succeeded' : 'failed')
  return redirect(back.href)
}

/** Closes a session whose intent has been paid; a session that is not open any more stays as it is. */
export function completeIfPaid(work: Work, session: CheckoutSession): void {
  const intent = session.payment_intent ? work.book.intents.get(session.payment_intent) : undefined
  if (session.status !== 'open' || intent?.status !== 'succeeded') return
  session.status = 'complete'
  session.payment_status = 'paid'
  session.url = null
  work.emit('checkout.session.completed', session)
}

function checkoutForm(sessions: Sessions, session: CheckoutSession, problem?: string): string {
  const options = [...testCards].map(
    ([id, card]) =>
      `<option value="${escape(id)}">${escape(card.brand)} •••• ${escape(card.last4)} (${escape(id)})</option>`,
  )
  return `${problem ? `<p role="alert">${escape(problem)}</p>` : ''}
<p>${escape(sessions.extra(session.id).name)}</p>
<p>To pay: <strong>${money(session.amount_total, session.currency)}</strong></p>
<form method="post">
<label>Test card <select name="payment_method">${options.join('')}</select></label>
<button name="action" value="pay">Pay</button>
${session.cancel_url ? '<button name="action" value="back">Back to the shop</button>' : ''}
</form>`
}

function successUrl(session: CheckoutSession): string {
  return session.success_url.replaceAll('{CHECKOUT_SESSION_ID}', session.id)
}

function redirect(to: string): Answer {
  return { status: 303, headers: { location: to }, body: '' }
}

function page(status: number, title: string, content: string): Answer {
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    },
    body: `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title>
<style>body{font:16px system-ui;max-width:28rem;margin:4rem auto;padding:0 1rem}button,select{font:inherit;padding:.5rem}</style>
<h1>${escape(title)}</h1><p><small>Simulated payment page. No money moves.</small></p>${content}</html>`,
  }
}

function money(amount: number, currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency: currency.toUpperCase() })
  return escape(format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2)))
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
