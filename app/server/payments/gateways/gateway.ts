export type GatewayName = 'stripe' | 'razorpay' | 'cardcom'

/** Goes with every call. */
export interface GatewayCall {
  /**
   * Our key of this call, the same on every attempt: the gateway's idempotency key where it has one, our reference
   * where it has none. A call that only reads does not send it.
   */
  readonly key: string
  /** This call may have been made before under the same key, and its answer lost. Default false. */
  readonly repeated?: boolean
  /** Fires when nobody needs the answer any more. What the gateway has received, it may execute all the same. */
  readonly signal: AbortSignal
  /** Of the whole call, its answer included. */
  readonly timeoutMs: number
}

/**
 * A charge with a saved payment method. It is recorded before it is sent, and a repeat or a settling call is made from
 * the recorded one: the same request under the same key must be the same bytes on the wire.
 */
export interface ChargeRequest {
  /** Integer minor units. */
  readonly amount: number
  /** ISO 4217, upper case. */
  readonly currency: string
  readonly paymentMethod: string
  /** The gateway's customer that the payment method belongs to, where the gateway asks for one. */
  readonly customer?: string
  /** Our order id; kept at the gateway with the payment. */
  readonly order: string
  /** What the customer reads. */
  readonly description?: string
  /** Where the bank's page sends the customer back to; without it an authentication cannot be done by redirect. */
  readonly returnUrl?: string
  /** The customer is not there to authenticate: then it is declined instead of `requires_action`. Default false. */
  readonly offSession?: boolean
  /** When it was recorded, ISO 8601: looking for a lost one begins there. Is not sent. */
  readonly requestedAt: string
}

/** A payment as the gateway has it now. JSON, so that a step may record it. */
export interface Payment {
  /** The gateway's id. */
  readonly id: string
  /** `authorized`: the bank holds the amount for us; until it is captured nothing is taken. */
  readonly status: 'requires_action' | 'processing' | 'authorized' | 'captured' | 'declined' | 'cancelled'
  readonly amount: number
  readonly currency: string
  /** Minor units taken, and of these given back. */
  readonly captured: number
  readonly refunded: number
  /** Of `refunded`, what is still on its way back, and may fail. Told by `getPayment` and `reverse`; absent: nothing. */
  readonly refundPending?: number
  /** The key it was charged under, and our order, where they were ours. */
  readonly operation: string | null
  readonly order: string | null
}

export type ChargeResult =
  | { readonly status: 'captured'; readonly payment: Payment }
  /** `redirectUrl` is null where the gateway's script in the browser has to do it, with `clientSecret`. */
  | {
      readonly status: 'requires_action'
      readonly payment: Payment
      readonly redirectUrl: string | null
      readonly clientSecret: string | null
    }
  /** Final for this key. `code` is the gateway's, the most precise it gave; `message` may be shown to the customer. */
  | { readonly status: 'declined'; readonly code: string; readonly message: string; readonly payment: Payment | null }
  /** The gateway does not know yet; it will say so by webhook. */
  | { readonly status: 'processing'; readonly payment: Payment }

/**
 * How a payment was taken back. `nothing_taken` and `voided`: the customer was never charged, and will not be. `refunded`: all
 * of it is given back, or on its way (`refundPending`).
 */
export type Reversal =
  | { readonly status: 'nothing_taken' }
  | { readonly status: 'voided'; readonly payment: Payment }
  | { readonly status: 'refunded'; readonly payment: Payment }

export interface CheckoutRequest {
  readonly amount: number
  readonly currency: string
  readonly order: string
  /** One line that the customer reads on the gateway's page. */
  readonly description: string
  /** Where the customer comes back to. A return says nothing about payment: ask, or wait for the webhook. */
  readonly successUrl: string
  readonly cancelUrl: string
  /** Where the gateway reports what happens on the page, for gateways that are told with every page. */
  readonly webhookUrl?: string
  readonly customerEmail?: string
  /** ISO 8601; each gateway has its own limits. */
  readonly expiresAt?: string
}

export interface Checkout {
  readonly id: string
  /**
   * - `open`: nothing is taken; the customer can pay there.
   * - `authorized`: `paymentId` is held by the bank and has to be captured.
   * - `paid`: `paymentId` is captured.
   * - `expired`: nobody has paid there, and nobody can.
   * - `abandoned`: the answer of `closeCheckout` where the gateway cannot close a page: nobody has paid there yet. Whoever
   *   still does is refunded by whatever learns of it.
   */
  readonly status: 'open' | 'authorized' | 'paid' | 'expired' | 'abandoned'
  /** The hosted page; null once it is of no use. */
  readonly url: string | null
  /** The page is opened by posting these form fields to `url`; absent: by going there. */
  readonly fields?: Readonly<Record<string, string>>
  /** Null: it stays open. */
  readonly expiresAt: string | null
  /** Why the last attempt to pay there failed, where it did; null once another is under way. The page may still be `open`. */
  readonly declined?: { readonly code: string; readonly message: string } | null
  readonly amount: number
  readonly currency: string
  readonly order: string | null
  /** The gateway's payment id, as soon as there is one. */
  readonly paymentId: string | null
}

export interface RefundRequest {
  readonly paymentId: string
  /** Minor units; without it all that is left. */
  readonly amount?: number
  readonly order?: string
}

export type RefundResult =
  | { readonly status: 'refunded' | 'processing'; readonly refundId: string; readonly amount: number }
  /** All of it had been given back before, under whatever key. */
  | { readonly status: 'already_refunded' }
  | { readonly status: 'failed'; readonly refundId: string; readonly code: string }

/**
 * A payment that the customer's bank has doubts about, as the gateway has it now. JSON, so that a step may record it.
 * - `inquiry`: a question, and no money is held; a refund ends it.
 * - `open`: the bank holds the money, and an answer is wanted or looked at.
 * - `won`: it is ours again. `lost`: it is the customer's. `closed`: it came to nothing.
 */
export interface Dispute {
  readonly id: string
  readonly paymentId: string
  readonly status: 'inquiry' | 'open' | 'won' | 'lost' | 'closed'
  /** Minor units of `currency`, which need not be those of the payment. */
  readonly amount: number
  readonly currency: string
  /** The gateway's word. */
  readonly reason: string | null
  /** ISO 8601: when an answer has to be there. */
  readonly respondBy: string | null
  /** ISO 8601. */
  readonly openedAt: string
}

/** A request as it came in: the bytes before any parser has touched them. */
export interface WebhookRequest {
  readonly rawBody: Uint8Array
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export type WebhookReading =
  | { readonly status: 'verified'; readonly event: WebhookEvent }
  /** Answer 4xx, store nothing. */
  | {
      readonly status: 'rejected'
      /** `not_confirmed`: the gateway signs nothing, and was asked: it knows nothing of what the body says. */
      readonly reason: 'unsigned' | 'signature_mismatch' | 'timestamp_expired' | 'malformed' | 'not_confirmed'
    }

export interface WebhookEvent {
  /** The gateway's id of the event: the key of the inbox. */
  readonly id: string
  /** The gateway's word. */
  readonly type: string
  /** ISO 8601. */
  readonly createdAt: string
  /** A snapshot of when the event was made; events come late, twice and out of order. Null: of no interest to a shop. */
  readonly subject:
    | { readonly kind: 'payment'; readonly payment: Payment }
    | { readonly kind: 'checkout'; readonly checkout: Checkout }
    /** `refunded` is null where the event speaks of one refund and not of all of the payment. */
    | {
        readonly kind: 'refund'
        readonly paymentId: string
        readonly refunded: number | null
        readonly currency: string
        /** What was given back before anybody wrote its name down is known by its page, or its order, alone. */
        readonly page: string | null
        readonly order: string | null
      }
    | { readonly kind: 'dispute'; readonly disputeId: string; readonly paymentId: string; readonly page: string | null }
    | null
}

/** What a lost answer of a charge is settled by, best first; the engine's ladder is made of these. */
export interface Settling {
  readonly methods: readonly ('close' | 'find' | 'repeat')[]
  /** How long, in milliseconds, the gateway honours a key; 0 where it has none. */
  readonly repeatWindow: number
}

/**
 * What every gateway fills. Answers are values; a call without one throws a `GatewayError`, whose `kind` says whether
 * it may have taken effect. Nothing is retried inside: whoever calls decides, because a cancel may have come.
 */
export interface Gateway {
  readonly name: GatewayName
  /** ISO 4217 codes, upper case; checkout offers a gateway for these only. */
  readonly currencies: ReadonlySet<string>
  readonly settling: { readonly charge: Settling; readonly refund: Settling }
  /** Whether `charge` is offered; a gateway without it is paid on its own page only. */
  readonly savedMethods: boolean
  /** Payment methods of its test mode, for a page to offer; absent where real money would move. */
  readonly testMethods?: readonly string[]
  /**
   * Whether a refund that the gateway has taken on may fail later. Then it counts what it says of a payment's `refunded`, also
   * where that has become less; where not, less only means that its list is behind.
   */
  readonly refundsMayFail: boolean
  /** Where its page is, if that is opened by posting a form: our own pages may post to no other origin. */
  readonly formOrigin?: string

  /** Takes money now, from a saved payment method. At most once for a key within the repeat window. */
  charge(request: ChargeRequest, call: GatewayCall): Promise<ChargeResult>
  /**
   * What became of `charge` under `call.key`. Undefined: the gateway has nothing of it, which counts only when the
   * charge can no longer be on its way.
   */
  findCharge(request: ChargeRequest, call: GatewayCall): Promise<ChargeResult | undefined>
  /**
   * Makes an end of `charge` under `call.key`, whatever became of it: it is reversed if it took effect, and is refused
   * if it arrives later. May be repeated.
   */
  closeCharge(request: ChargeRequest, call: GatewayCall): Promise<Reversal>
  /** Undo of a payment that is known: cancels it, or sends back all that is left. May be repeated. */
  reverse(payment: { readonly paymentId: string; readonly order?: string }, call: GatewayCall): Promise<Reversal>

  /** A page at the gateway on which the customer pays. */
  createCheckout(request: CheckoutRequest, call: GatewayCall): Promise<Checkout>
  getCheckout(checkoutId: string, call: GatewayCall): Promise<Checkout>
  /** After it answered `expired`, nobody can pay there. `paid` means that it was too late. */
  closeCheckout(checkoutId: string, call: GatewayCall): Promise<Checkout>

  getPayment(paymentId: string, call: GatewayCall): Promise<Payment>
  /**
   * Takes what is `authorized`, all of it. The answer says what the payment is now: captured twice is captured once, and a
   * payment that cannot be captured any more is answered as it is.
   */
  capture(
    payment: { readonly paymentId: string; readonly amount: number; readonly currency: string },
    call: GatewayCall,
  ): Promise<Payment>
  /** Cancels what is not captured. The answer says what it is now: `captured` means that it was too late. */
  cancelPayment(paymentId: string, call: GatewayCall): Promise<Payment>
  refund(request: RefundRequest, call: GatewayCall): Promise<RefundResult>
  /** What became of `refund` under `call.key`. */
  findRefund(request: RefundRequest, call: GatewayCall): Promise<RefundResult | undefined>

  /** Absent where the gateway's API knows nothing of disputes: of those its merchants learn by mail, and on its own pages. */
  getDispute?(disputeId: string, call: GatewayCall): Promise<Dispute>

  /**
   * Verifies by the gateway's own means, on raw bytes. `call` is for gateways that sign nothing and must be asked.
   * `now` is Unix milliseconds.
   */
  readWebhook(request: WebhookRequest, now: number, call: GatewayCall): Promise<WebhookReading>

  /**
   * Verifies what the customer's browser brought back from the page, where the gateway signs it; absent where it signs
   * nothing. `stored.pageId` is our own record of the page, never the one that came back. `verified` says only that the
   * gateway made these words: how the payment stands is asked all the same.
   */
  verifyReturn?(params: Readonly<Record<string, string>>, stored: { readonly pageId: string }): ReturnReading
}

export type ReturnReading =
  | { readonly status: 'verified'; readonly paymentId: string }
  | { readonly status: 'rejected' }
