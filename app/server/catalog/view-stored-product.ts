import type { Reader } from '../database.ts'
import type { StockLevel } from '../inventory/inventory.ts'
import { listStockLevels } from '../inventory/stock-levels.ts'
import type { Money } from './money.ts'
import type { StoredProduct, StoredVariant } from './stored-product.ts'

interface Shelf extends Omit<StockLevel, 'available'> {
  /** Can be ordered now, as the catalogue says it. */
  readonly stock: number
}

/** A product as administrators see it: with what is archived, and what the shelves have. */
export interface AdminProduct extends Omit<StoredProduct, 'variants'> {
  readonly variants: ReadonlyArray<StoredVariant & Shelf & { readonly price: Money }>
}

/** One statement, however many they are. */
export async function viewStoredProducts(tx: Reader, products: readonly StoredProduct[]): Promise<AdminProduct[]> {
  if (products.length === 0) return []
  const levels = await listStockLevels(
    tx,
    products.flatMap(({ variants }) => variants.map(({ id }) => id)),
  )
  return products.map((product) => ({
    ...product,
    variants: product.variants.map((variant) => ({
      ...variant,
      price: { ...product.price, amount: product.price.amount + variant.priceDifference },
      ...shelfOf(levels.get(variant.id)),
    })),
  }))
}

const shelfOf = (level: StockLevel | undefined): Shelf => ({
  stock: level?.available ?? 0,
  onHand: level?.onHand ?? 0,
  reserved: level?.reserved ?? 0,
})
