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

export interface Order {
  readonly id: string
  readonly status: string
  readonly total: Money
}

export interface Payment {
  readonly id: string
  readonly gateway: string
  readonly status: string
}

export interface Confirmation {
  readonly order: Order
  readonly payment: Payment
}
