import type { Money } from '../catalog/money.ts'

/** A product that an account has put on its wishlist. */
export interface Wish {
  readonly productId: string
  readonly name: string
  readonly image: string
  readonly price: Money
  /** Still sold, and some of it in stock. */
  readonly available: boolean
  readonly addedAt: string
}

/** The most that one account keeps. */
export const wishLimit = 200
