/** What Pantry's HTTP contract answers, as far as its own pages read it. Times are ISO 8601, ids are opaque. */

/** Integer minor units and an ISO 4217 code. */
export interface Money {
  readonly amount: number
  readonly currency: string
}

export interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextCursor: string | null
}

export interface Variant {
  readonly id: string
  readonly name: string
  readonly price: Money
  /** What can be ordered now: on hand less live reservations. */
  readonly stock: number
}

/** Grams, but for `kcal`. */
export interface Nutrition {
  readonly per: '100 g' | '100 ml'
  readonly kcal: number
  readonly protein: number
  readonly carbohydrate: number
  readonly sugar: number
  readonly fat: number
  readonly fibre: number
  readonly salt: number
}

export interface Product {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly category: string
  readonly price: Money
  /** A path on the server. */
  readonly image: string
  readonly nutrition: Nutrition
  readonly variants: readonly Variant[]
}

export interface CartItem {
  readonly id: string
  readonly productId: string
  readonly variantId: string
  readonly name: string
  readonly quantity: number
  readonly unitPrice: Money
  readonly totalPrice: Money
  readonly available: boolean
}

export interface Cart {
  readonly id: string
  readonly version: number
  readonly items: readonly CartItem[]
  readonly itemsCount: number
  readonly totalItems: number
  readonly totalPrice: Money
  readonly hasUnavailableItems: boolean
  readonly createdAt: string
  readonly updatedAt: string
}

export interface User {
  readonly id: string
  readonly email: string
  readonly name: string
}

export interface DemoAccount {
  readonly role: 'admin' | 'customer'
  readonly email: string
  readonly password: string
}

export interface NewAddress {
  readonly name: string
  readonly line1: string
  readonly line2?: string
  readonly city: string
  readonly region?: string
  readonly postalCode: string
  /** ISO 3166 alpha-2. */
  readonly country: string
  readonly phone?: string
}

export interface Address extends NewAddress {
  readonly id: string
}

/** What is left out stays; null takes an optional field away. */
export type AddressChange = { readonly [Field in keyof NewAddress]?: NewAddress[Field] | null }

/** A product that somebody wants to remember. */
export interface Wish {
  readonly productId: string
  readonly name: string
  readonly image: string
  readonly price: Money
  /** Sold, and not sold out. */
  readonly available: boolean
  readonly addedAt: string
}

export type OrderStatus =
  | 'pending'
  | 'awaiting_payment'
  | 'processing'
  | 'payment_verified'
  | 'completed'
  | 'failed'
  | 'error'
  | 'cancelled'

export interface Order {
  readonly id: string
  readonly status: OrderStatus
  /** Why it is in that status. */
  readonly reason: string
  readonly fulfilment: 'none' | 'shipped'
  readonly total: Money
  readonly items: ReadonlyArray<{
    readonly id: string
    readonly productId: string
    readonly variantId: string
    readonly name: string
    readonly quantity: number
    readonly totalPrice: Money
  }>
  readonly shippingAddress: NewAddress
  /** Until when stock is held for it while it is unpaid. */
  readonly reservedUntil: string
  /** The live payment, else the latest. */
  readonly payment?: Payment
  readonly createdAt: string
}

export interface OrderChange {
  readonly from: OrderStatus | null
  readonly to: OrderStatus
  readonly reason: string
  readonly note?: string
  readonly at: string
}

export interface OrderWithHistory extends Order {
  readonly history: readonly OrderChange[]
}

/** Where the customer goes on: the gateway's page, or the bank's. */
export interface PaymentPage {
  readonly url: string | null
  /** The page is opened by posting these form fields to `url`; absent: by going there. */
  readonly fields?: Readonly<Record<string, string>>
  readonly expiresAt?: string
}

export interface Payment {
  readonly id: string
  readonly gateway: string
  readonly status:
    | 'created'
    | 'requires_action'
    | 'processing'
    | 'captured'
    | 'failed'
    | 'voided'
    | 'refunding'
    | 'refunded'
  /** Of what was taken. */
  readonly refunded: Money
  /** Present while the customer has to act. */
  readonly checkout?: PaymentPage
}

export interface Confirmation {
  readonly order: Order
  readonly payment: Payment
}

/** Order and payment made in one. */
export interface CreatedPayment {
  readonly orderId: string
  readonly paymentId: string
  readonly gateway: string
  readonly checkout: PaymentPage
}

/** An account's cart, with what of a guest's did not get into it. */
export interface MergedCart extends Cart {
  readonly notMerged: ReadonlyArray<{
    readonly productId: string
    readonly variantId?: string
    readonly quantity: number
    readonly reason: 'product_not_found' | 'product_unavailable' | 'quantity_limit' | 'cart_full'
  }>
}

export interface GatewayOffer {
  readonly name: string
  /** It charges saved payment methods too; every gateway has a page of its own. */
  readonly savedMethods: boolean
  /** Payment methods of its test mode, by which no real money moves. */
  readonly testMethods: readonly string[]
  /** ISO 4217. */
  readonly currencies: readonly string[]
}
