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

/** Units of one line; the table's constraint says the same. */
export const quantityLimit = 999
/** Lines of one cart. */
export const lineLimit = 200

/** Where changes of an account's cart are told; the data is `{version}`. */
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
