import type { Order, PaymentPage } from './model.ts'

/**
 * What an order comes to for the person who placed it, true when it is shown.
 *
 * - `paid`; `refunding`, `refunded`: the money is on its way back, or is back.
 * - `waiting`: for the customer, on the gateway's page (`page`, while there is one).
 * - `set_aside`: nothing was charged and nothing is on its way. `declined`: likewise, after a try.
 * - `deciding`: money may be moving; nobody can say yet. `trouble`: likewise, and the shop is at fault.
 * - `cancelled`, `expired`: nothing was charged, or what was is back (`refunded` says which).
 */
export type Standing =
  | { readonly kind: 'paid' | 'refunding' | 'refunded' | 'set_aside' | 'declined' | 'deciding' | 'trouble' }
  | { readonly kind: 'cancelled' | 'expired' }
  | { readonly kind: 'waiting'; readonly page?: PaymentPage }

export function readStanding({ status, reason, payment }: Order): Standing {
  const paying = payment?.status
  if (paying === 'refunding') return { kind: 'refunding' }
  switch (status) {
    case 'completed':
      return { kind: 'paid' }
    case 'cancelled':
      if (paying === 'refunded') return { kind: 'refunded' }
      return { kind: reason === 'expired' ? 'expired' : 'cancelled' }
    case 'processing':
    case 'payment_verified':
      return { kind: 'deciding' }
    case 'error':
      return { kind: 'trouble' }
    case 'failed':
      return { kind: 'declined' }
    case 'pending':
    case 'awaiting_payment':
      if (paying === 'requires_action')
        return { kind: 'waiting', ...(payment?.checkout?.url && { page: payment.checkout }) }
      return { kind: paying === 'created' || paying === 'processing' ? 'deciding' : 'set_aside' }
  }
}

/** Whether it changes by itself no more: there is nothing to wait for. */
export function isDecided({ kind }: Standing): boolean {
  return kind === 'paid' || kind === 'refunded' || kind === 'cancelled' || kind === 'expired' || kind === 'declined'
}

/** Whether asking for a cancel makes sense: the server has the last word. */
export function canCancel(order: Order): boolean {
  const { kind } = readStanding(order)
  return order.fulfilment !== 'shipped' && ['paid', 'waiting', 'set_aside', 'declined'].includes(kind)
}
