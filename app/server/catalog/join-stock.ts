import type { Reader } from '../database.ts'
import { listAvailable } from '../inventory/available-stock.ts'
import type { CatalogProduct, Product } from './catalog.ts'

/** Products with what can be ordered of them at this moment: one statement, however many they are. */
export async function joinStock(database: Reader, products: readonly CatalogProduct[]): Promise<Product[]> {
  if (products.length === 0) return []
  const available = await listAvailable(
    database,
    products.flatMap(({ variants }) => variants.map(({ id }) => id)),
  )
  return products.map(({ version: _, variants, ...product }) => ({
    ...product,
    variants: variants.map((variant) => ({ ...variant, stock: available.get(variant.id) ?? 0 })),
  }))
}
