import { conflict, expectVersion, refuse, sqlState, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import { moveStock, type StockMove } from '../inventory/move-stock.ts'
import { insertStock } from '../inventory/stock-levels.ts'
import { catalogTopic } from './catalog.ts'
import { changedVariants, type NewVariant, type StoredProduct, type StoredVariant } from './stored-product.ts'
import { findStoredProduct, insertProduct, replaceProduct, writeVariants } from './stored-products.queries.ts'
import { viewStoredProducts, type AdminProduct } from './view-stored-product.ts'

/**
 * Writes a product and those of its variants that changed, `before` being what was read (`undefined`: it is new), and answers it as
 * it is then. Throws `sku_taken`; `conflict` or `precondition_failed` when `before` is not what is stored any more.
 */
export async function writeProduct(
  tx: SqlTransaction,
  {
    before,
    after,
    ifMatch,
    deliveries = [],
  }: {
    readonly before?: StoredProduct
    readonly after: StoredProduct
    readonly ifMatch?: number | undefined
    /** What comes onto the shelves of new variants in the same moment. */
    readonly deliveries?: readonly StockMove[]
  },
): Promise<AdminProduct> {
  if (before) {
    const version = await replaceProduct(tx, after, before.version)
    if (version === undefined) throw await overtaken(tx, after.id, ifMatch)
  } else await insertProduct(tx, after)
  const written = changedVariants(before?.variants ?? [], after.variants)
  try {
    await writeVariants(tx, after.id, written)
  } catch (cause) {
    if (sqlState(cause) !== '23505' || (cause as { constraint?: string }).constraint !== 'variant_sku') throw cause
    throw refuse('sku_taken', 'Another variant has this SKU.', { cause })
  }
  if (written.length > 0) {
    await insertStock(
      tx,
      written.map(({ id }) => id),
    )
  }
  for (const delivery of deliveries) await moveStock(tx, delivery)
  announce(tx, catalogTopic)
  return getView(tx, after.id)
}

/** Of the variants that a change adds, in its order: what of them is there from the beginning. */
export function deliveriesOf(
  { before = [], after }: { readonly before?: readonly StoredVariant[]; readonly after: readonly StoredVariant[] },
  add: readonly NewVariant[],
  by: Pick<StockMove, 'operationId' | 'actor'>,
): StockMove[] {
  const known = new Set(before.map(({ id }) => id))
  return after
    .filter(({ id }) => !known.has(id))
    .map(({ id: variantId }, n) => ({ ...by, variantId, delta: add[n]?.stock ?? 0, kind: 'delivery' as const }))
    .filter(({ delta }) => delta > 0)
}

/** What is stored of a product, as administrators see it. */
export async function getView(tx: SqlTransaction, id: string): Promise<AdminProduct> {
  const stored = await findStoredProduct(tx, id)
  const [view] = await viewStoredProducts(tx, stored ? [stored] : [])
  if (!view) throw noSuchProduct()
  return view
}

export const noSuchProduct = () => refuse('product_not_found', 'There is no such product.')

/** The version that was read is not there any more: whoever sent If-Match is told, anybody else's change is made again. */
async function overtaken(tx: SqlTransaction, id: string, ifMatch: number | undefined): Promise<Error> {
  const now = await findStoredProduct(tx, id)
  if (!now) return noSuchProduct()
  expectVersion(now.version, ifMatch)
  return conflict('The product has changed in the same moment.', { currentVersion: now.version })
}
