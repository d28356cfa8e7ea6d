import { isProblemError, type Client } from 'safepoint/client'
import type { KnownVariant } from './cart-edits.ts'
import type { Product } from './model.ts'

/** The products that were seen, so that a line can be shown before the server has answered, and a guest's cart has prices. */
export interface CatalogueMemory {
  remember(products: readonly Product[]): void
  /** As it was last seen, however long ago. */
  describe(productId: string, variantId: string | undefined): KnownVariant | undefined
  /** As it was at most `maxAge` ago; undefined: it is not sold. Throws what `client.get` throws. */
  find(productId: string): Promise<Product | undefined>
  /** Of the prices that were seen. */
  currency(): string | undefined
}

export interface CatalogueMemoryOptions {
  readonly client: Pick<Client, 'get'>
  readonly now?: () => number
  /** Milliseconds. Default 30 000. */
  readonly maxAge?: number
}

export function createCatalogueMemory(options: CatalogueMemoryOptions): CatalogueMemory {
  const { client, now = Date.now, maxAge = 30_000 } = options
  const seen = new Map<string, { readonly product: Product | undefined; readonly at: number }>()
  const reading = new Map<string, Promise<Product | undefined>>()

  async function read(productId: string): Promise<Product | undefined> {
    try {
      const product = await client.get<Product>(`/api/products/${encodeURIComponent(productId)}`)
      seen.set(productId, { product, at: now() })
      return product
    } catch (error) {
      if (!isProblemError(error) || error.status !== 404) throw error
      seen.set(productId, { product: undefined, at: now() })
      return undefined
    } finally {
      reading.delete(productId)
    }
  }

  return {
    remember(products) {
      for (const product of products) seen.set(product.id, { product, at: now() })
    },
    describe(productId, variantId) {
      const product = seen.get(productId)?.product
      const variant = product?.variants.find(({ id }) => variantId === undefined || id === variantId)
      if (!product || !variant) return undefined
      const { id, name, price, stock } = variant
      return { variantId: id, name: `${product.name}, ${name}`, unitPrice: price, stock }
    },
    async find(productId) {
      const known = seen.get(productId)
      if (known && now() - known.at < maxAge) return known.product
      let answer = reading.get(productId)
      if (!answer) reading.set(productId, (answer = read(productId)))
      return answer
    },
    currency() {
      for (const { product } of seen.values()) if (product) return product.price.currency
      return undefined
    },
  }
}
