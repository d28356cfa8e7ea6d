import type { Answer, Request } from '../simulator-server.ts'
import { choiceButtons, escape, testPage } from '../test-page.ts'
import type { Work } from './book.ts'
import type { Sessions } from './checkout-sessions.ts'
import type { CheckoutSession, PaymentIntent } from './objects.ts'
import { confirmIntent, createIntent, getIntent, settleIntent } from './payment-intents.ts'
import { testCards, type TestCard } from './payment-methods.ts'
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
      `<p>Your bank asks: pay<br><strong>${money(intent.amount, intent.currency)}</strong>?</p>
<form method="post">${choiceButtons([
        {
          name: 'decision',
          value: 'approve',
          label: 'Approve',
          does: 'The card is charged, and you go back to the shop.',
        },
        { name: 'decision', value: 'refuse', label: 'Refuse', does: 'Nothing is charged; you can try another card.' },
      ])}</form>`,
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
    ([id, card]) => `<option value="${escape(id)}">${escape(`${nameCard(card)} (${id})`)}</option>`,
  )
  const pay = {
    name: 'action',
    value: 'pay',
    label: 'Pay',
    does: 'Tries this card; once it is charged, you are back at the shop.',
  }
  const back = {
    name: 'action',
    value: 'back',
    label: 'Back to the shop',
    does: 'Nothing is charged. The order waits for you: pay it later, or cancel it there.',
  }
  return `${problem ? `<p role="alert">${escape(problem)}</p>` : ''}
<p>${escape(sessions.extra(session.id).name)}</p>
<p>To pay<br><strong>${money(session.amount_total, session.currency)}</strong></p>
<form method="post">
<label>Test card <select name="payment_method">${options.join('')}</select></label>
${choiceButtons(session.cancel_url ? [pay, back] : [pay])}
</form>`
}

/** With what it does, as it is not to be seen by its number. */
function nameCard({ brand, last4, behaviour, answersAfter }: TestCard): string {
  const slow = answersAfter === undefined ? '' : ', slowly'
  const words = behaviour.does === 'decline' ? behaviour.declineCode.replaceAll('_', ' ') : doings[behaviour.does]
  return `${brand} •••• ${last4}: ${words}${slow}`
}

const doings = { pay: 'pays', authenticate: 'the bank asks you' } as const

function successUrl(session: CheckoutSession): string {
  return session.success_url.replaceAll('{CHECKOUT_SESSION_ID}', session.id)
}

function redirect(to: string): Answer {
  return { status: 303, headers: { location: to }, body: '' }
}

function page(status: number, title: string, content: string): Answer {
  return testPage({ status, title, note: 'Simulated payment page. No money moves.', content })
}

function money(amount: number, currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency: currency.toUpperCase() })
  return escape(format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2)))
}
