import type { Money, Page, Product } from '../../client/model.ts'
import { send } from '../checkout/shopper.ts'
import { NotHere } from './check.ts'
import { answered, type Shopper } from './shoppers.ts'

/** One variant of a product. */
export interface Goods {
  readonly productId: string
  readonly variantId: string
  /** As a line of a cart is called. */
  readonly name: string
  readonly price: Money
}

/** What is on the shelves of this shop. */
export interface Shelves {
  /** Different variants, as many as there are up to `most`; whether they can be had is not said. */
  different(most: number): readonly Goods[]
  /** Different variants of which 20 and more can be had. */
  inStock(count: number): readonly Goods[]
}

const goodsOf = ({ id: productId, name, variants }: Pick<Product, 'id' | 'name' | 'variants'>): Goods[] =>
  variants.map((variant) => ({
    productId,
    variantId: variant.id,
    name: `${name}, ${variant.name}`,
    price: variant.price,
  }))

const enough = 20

/** What the catalogue offers to everybody. */
export async function readShelves(url: string): Promise<Shelves> {
  const products: Product[] = []
  for (let cursor: string | null = ''; cursor !== null && products.length < 200;) {
    const query = new URLSearchParams({ limit: '50', ...(cursor !== '' && { cursor }) })
    const page: Page<Product> = answered(await send(url, undefined, 'GET', `/api/products?${query}`), 200)
    products.push(...page.items)
    cursor = page.nextCursor
  }
  const variants = products.flatMap((product) => product.variants)
  const stock = new Map(variants.map((variant) => [variant.id, variant.stock]))
  return shelve(products.flatMap(goodsOf), ({ variantId }) => stock.get(variantId)! >= enough)
}

function shelve(all: readonly Goods[], isInStock: (goods: Goods) => boolean): Shelves {
  const inStock = all.filter(isInStock)
  return {
    different(most) {
      if (all.length < 2) throw new NotHere('there are no two variants in the catalogue')
      return all.slice(0, most)
    },
    inStock(count) {
      if (inStock.length < count) throw new NotHere(`there are no ${count} variants with ${enough} in stock`)
      return inStock.slice(0, count)
    },
  }
}

/** Of one product. */
const mostVariants = 20

/** What only an administrator can do. Whatever is made here leaves the catalogue with `tidy`. */
export interface Administrator {
  newProduct(product: { readonly variants: number; readonly stock?: number }): Promise<readonly Goods[]>
  /** Different variants, of as many products as that takes. */
  newVariants(count: number): Promise<readonly Goods[]>
  setPrice(productId: string, amount: number): Promise<void>
  archive(productId: string): Promise<void>
  /** Shelves filled with a product of one's own. */
  fillShelves(): Promise<Shelves>
  tidy(): Promise<void>
}

export function administratorOf(admin: Shopper, currency: string): Administrator {
  const made = new Set<string>()
  const path = (id: string) => `/api/admin/products/${id}`

  async function newProduct({ variants, stock = 0 }: { readonly variants: number; readonly stock?: number }) {
    const body = {
      name: 'Rice of the cart tests',
      description: 'Made by a test, and taken away by it.',
      category: 'grains',
      image: '/images/grains.svg',
      price: { amount: 1099, currency },
      nutrition: { per: '100 g', kcal: 350, protein: 8, carbohydrate: 78, sugar: 0, fat: 1, fibre: 1, salt: 0 },
      // Prices that are no round numbers, so that a sum which is rounded shows.
      variants: Array.from({ length: variants }, (_, n) => ({
        name: `Size ${n + 1}`,
        contentG: 100 * (n + 1),
        priceDifference: 37 * n,
      })),
    }
    const product = answered<Product>(await admin.send('POST', '/api/admin/products', body), 201)
    made.add(product.id)
    const goods = goodsOf(product)
    if (stock > 0)
      for (const { variantId } of goods)
        answered(await admin.send('POST', `/api/admin/stock/${variantId}`, { delta: stock, reason: 'delivery' }), 200)
    return goods
  }

  /** With the version that is now stored: nobody else changes these. */
  async function change(method: string, id: string, body?: object): Promise<void> {
    const { version } = answered(await admin.send('GET', path(id)), 200)
    answered(await admin.send(method, path(id), body, { headers: { 'if-match': `"${version}"` } }), 200)
  }

  async function archive(productId: string): Promise<void> {
    await change('DELETE', productId)
    made.delete(productId)
  }

  async function newVariants(count: number): Promise<readonly Goods[]> {
    const goods: Goods[] = []
    while (goods.length < count)
      goods.push(...(await newProduct({ variants: Math.min(mostVariants, count - goods.length) })))
    return goods
  }

  return {
    newProduct,
    newVariants,
    setPrice: (productId, amount) => change('PATCH', productId, { price: { amount, currency } }),
    archive,
    async fillShelves() {
      const stocked = await newProduct({ variants: 4, stock: 1000 })
      const all = [...stocked, ...(await newVariants(50))]
      return shelve(all, (goods) => stocked.includes(goods))
    },
    async tidy() {
      for (const productId of made) await archive(productId)
    },
  }
}
