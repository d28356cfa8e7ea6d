import { press as pressCardcom } from '../../simulators/cardcom/browser.ts'
import { postForm, press as pressRazorpay } from '../../simulators/razorpay/browser.ts'

/** The gateway's page of a payment, as the shop's answer tells of it. */
export interface OpenPage {
  readonly gateway: string
  readonly url: string
  readonly fields?: Readonly<Record<string, string>>
}

/**
 * A customer in a browser on the gateway's page, over HTTP. Answers how to go back to the shop, which is the customer's to do:
 * undefined where the page keeps them, because it is closed or the card was declined.
 */
export async function payOnPage(
  page: OpenPage,
  action: 'pay' | 'decline',
): Promise<(() => Promise<number>) | undefined> {
  if (page.gateway === 'stripe') {
    const card = action === 'pay' ? 'pm_card_visa' : 'pm_card_chargeDeclined'
    return byLocation(await postForm(page.url, { action: 'pay', payment_method: card }))
  }
  if (page.gateway === 'cardcom') return byLocation(await pressCardcom(page, action))
  const { form } = await pressRazorpay(page, action)
  // A page that takes no payment any more has no form, or its own.
  if (!form || !form.action.includes('/api/payments/')) return undefined
  return async () => (await postForm(form.action, form.fields)).status
}

function byLocation({ location }: { readonly location: string | null }) {
  if (location === null || !location.includes('/api/payments/')) return undefined
  return async () => (await fetch(location, { redirect: 'manual' })).status
}
