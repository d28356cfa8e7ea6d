import type { Money } from '../catalog/money.ts'

export interface CartItem {
  readonly id: string
  readonly productId: string
  readonly variantId: string
  readonly name: string
  readonly quantity: number
  readonly unitPrice: Money
  readonly totalPrice: Money
  /** Still sold, and in stock in this quantity. */
  readonly available: boolean
}

export interface Cart {
  readonly id: string
  /** Raised by every change of the cart or its lines. */
  readonly version: number
  readonly items: readonly CartItem[]
  /** Lines. */
  readonly itemsCount: number
  /** Units, over all lines. */
  readonly totalItems: number
  readonly totalPrice: Money
  readonly hasUnavailableItems: boolean
  readonly createdAt: string
  readonly updatedAt: string
}

/** Why some of a line did not get into a cart; the codes are those of an add. */
export const notMergedReasons = ['product_not_found', 'product_unavailable', 'quantity_limit', 'cart_full'] as const

/** What of one given line did not get into the cart. */
export interface NotMerged {
  readonly productId: string
  readonly variantId?: string | undefined
  /** How many of it. */
  readonly quantity: number
  readonly reason: (typeof notMergedReasons)[number]
}

export interface MergedCart extends Cart {
  readonly notMerged: readonly NotMerged[]
}

/** Units of one line; the table's constraint says the same. */
export const quantityLimit = 999
/** Lines of one cart. */
export const lineLimit = 200

/** Where changes of an account's cart are told; the data is `{version, cartId?}`. */
export const cartTopic = (accountId: string): string => `cart:${accountId}`

/** What an operation did to one line, for its undo. 0 stands for no line. */
export interface LineChange {
  readonly itemId: string
  readonly variantId: string
  readonly from: number
  readonly to: number
}

/** What the undo of a cart operation has to know; its handler notes it. */
export interface RecordedChange {
  readonly cartId: string
  readonly changes: readonly LineChange[]
}

export const recordChange = ({ noted }: { readonly noted: RecordedChange }): RecordedChange => noted
