/** What a test card does when it is charged. */
export type CardBehaviour =
  | { readonly does: 'pay' }
  | { readonly does: 'authenticate' }
  | { readonly does: 'decline'; readonly code: string; readonly declineCode: string; readonly message: string }

export interface TestCard {
  readonly brand: string
  readonly last4: string
  readonly behaviour: CardBehaviour
  /** Milliseconds by which the answer of a charge is late; the money is taken at once. */
  readonly answersAfter?: number
}

const pays = (brand: string, last4: string): TestCard => ({ brand, last4, behaviour: { does: 'pay' } })
const declines = (last4: string, code: string, declineCode: string, message: string): TestCard => ({
  brand: 'visa',
  last4,
  behaviour: { does: 'decline', code, declineCode, message },
})
const declined = declines('0002', 'card_declined', 'generic_decline', 'Your card was declined.')
const insufficient = declines('9995', 'card_declined', 'insufficient_funds', 'Your card has insufficient funds.')
const expired = declines('0069', 'expired_card', 'expired_card', 'Your card has expired.')
const incorrectCvc = declines('0127', 'incorrect_cvc', 'incorrect_cvc', "Your card's security code is incorrect.")
const processing = declines(
  '0119',
  'processing_error',
  'processing_error',
  'An error occurred while processing your card. Try again in a little bit.',
)
const authenticates: TestCard = { brand: 'visa', last4: '3184', behaviour: { does: 'authenticate' } }

/**
 * The vendor's published test payment methods, both spellings where its pages have two. https://docs.stripe.com/testing
 * `pm_card_visa_slow` is not the vendor's but ours: time enough for a person to press Cancel.
 */
export const testCards: ReadonlyMap<string, TestCard> = new Map([
  ['pm_card_visa', pays('visa', '4242')],
  ['pm_card_visa_slow', { ...pays('visa', '4242'), answersAfter: 4000 }],
  ['pm_card_visa_debit', pays('visa', '5556')],
  ['pm_card_mastercard', pays('mastercard', '4444')],
  ['pm_card_amex', pays('amex', '8431')],
  ['pm_card_in', pays('visa', '0008')],
  ['pm_card_il', pays('visa', '0009')],
  ['pm_card_chargeDeclined', declined],
  ['pm_card_visa_chargeDeclined', declined],
  ['pm_card_chargeDeclinedInsufficientFunds', insufficient],
  ['pm_card_visa_chargeDeclinedInsufficientFunds', insufficient],
  ['pm_card_visa_chargeDeclinedLostCard', declines('9987', 'card_declined', 'lost_card', 'Your card was declined.')],
  [
    'pm_card_visa_chargeDeclinedStolenCard',
    declines('9979', 'card_declined', 'stolen_card', 'Your card was declined.'),
  ],
  ['pm_card_radarBlock', declines('9101', 'card_declined', 'fraudulent', 'Your card was declined.')],
  ['pm_card_chargeDeclinedExpiredCard', expired],
  ['pm_card_chargeDeclinedIncorrectCvc', incorrectCvc],
  ['pm_card_chargeDeclinedProcessingError', processing],
  ['pm_card_authenticationRequired', authenticates],
  ['pm_card_threeDSecure2Required', { ...authenticates, last4: '3220' }],
])
