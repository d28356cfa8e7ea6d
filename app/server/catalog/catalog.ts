import type { Money } from './money.ts'

/** Per 100 g, or 100 ml of what is sold by volume. Grams, but for `kcal`. */
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

export interface Variant {
  readonly id: string
  readonly name: string
  readonly price: Money
  /** What can be ordered now: on hand less live reservations. */
  readonly stock: number
}

export interface Product {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly category: string
  readonly price: Money
  readonly image: string
  readonly nutrition: Nutrition
  /** At least one. */
  readonly variants: readonly Variant[]
}

/** A product as the catalogue has it: what is kept in memory. How much there is of it changes by the second, and is not in it. */
export interface CatalogProduct extends Omit<Product, 'variants'> {
  readonly version: number
  readonly variants: readonly Omit<Variant, 'stock'>[]
}

/** Told on every change of a product or a variant. */
export const catalogTopic = 'catalog'
