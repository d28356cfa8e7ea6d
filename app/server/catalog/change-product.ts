import { defineOperation, expectVersion, refuse, type AtomicContext, type SqlTransaction } from 'safepoint'
import { assertAdministrator } from '../accounts/assert-administrator.ts'
import { isId } from '../http.ts'
import { productChange } from './catalog-admin.schema.ts'
import type { Money } from './money.ts'
import { decideProduct, type StoredProduct, type VariantChanges } from './stored-product.ts'
import { findStoredProduct } from './stored-products.queries.ts'
import type { AdminProduct } from './view-stored-product.ts'
import { deliveriesOf, noSuchProduct, writeProduct } from './write-product.ts'

export interface CatalogOptions {
  /** The shop's one, ISO 4217. */
  readonly currency: string
}

interface Recorded {
  readonly version: number
  readonly before: StoredProduct
}

/**
 * Changes fields of a product, adds, changes, archives and restores its variants, or brings it back from the archive; with If-Match
 * only the version that was seen. Carts and the catalogue show the new prices from then on; orders keep what they were placed for.
 */
export const changeProduct = ({ currency }: CatalogOptions) =>
  defineOperation({
    name: 'product.change',
    input: productChange,
    errors: {
      product_not_found: 'There is no such product.',
      variant_not_found: 'The product has no such variant.',
      currency_mismatch: 'The shop sells in one currency.',
      sku_taken: 'Another variant that is sold has one of the SKUs.',
      variant_required: 'A product has at least one variant.',
      variant_limit: 'A product has a limit of variants.',
    },
    onDisconnect: 'finish',
    onCancel:
      'The product stays as it is. Once it is changed, undoing puts the old fields and variants back, unless it was changed again.',
    undo: {
      record: ({ result, noted }: { readonly result: AdminProduct; readonly noted: StoredProduct }): Recorded => ({
        version: result.version,
        before: noted,
      }),
      async run({ tx, scope }: AtomicContext<SqlTransaction>, recorded: Recorded): Promise<AdminProduct> {
        await assertAdministrator(tx, scope)
        const now = await findStoredProduct(tx, recorded.before.id)
        if (now?.version !== recorded.version) throw refuse('undo_outdated', 'The product has changed since.')
        // What was added stays readable for carts and orders that have it, as archived.
        const known = new Set(recorded.before.variants.map(({ id }) => id))
        const added = now.variants.filter(({ id }) => !known.has(id)).map((variant) => ({ ...variant, archived: true }))
        const variants = [...recorded.before.variants, ...added]
        return writeProduct(tx, { before: now, after: { ...recorded.before, variants } })
      },
    },
    async run(ctx, { id, archived, variants: given, ...fields }): Promise<AdminProduct> {
      const { tx, ifMatch, operationId, actor } = ctx
      const variants = Array.isArray(given) ? { change: given } : given
      const { add = [], change = [] }: VariantChanges = variants ?? {}
      assertCurrency(currency, fields, ...add, ...change)
      const before = isId(id) ? await findStoredProduct(tx, id) : undefined
      if (!before) throw noSuchProduct()
      // What is left out stays as it was read, so the write holds for that version only.
      if (ifMatch !== undefined) expectVersion(before.version, ifMatch)
      ctx.note(before)
      const after = decideProduct(before, { fields, archived, variants })
      const by = { operationId, ...(actor !== undefined && { actor }) }
      const deliveries = deliveriesOf({ before: before.variants, after: after.variants }, add, by)
      return writeProduct(tx, { before, after, ifMatch, deliveries })
    },
  })

/** Throws `currency_mismatch` where one of them has a price in another one. */
export function assertCurrency(
  currency: string,
  ...priced: ReadonlyArray<{ readonly price?: Money | undefined }>
): void {
  const other = priced.find(({ price }) => price && price.currency !== currency)?.price
  if (other)
    throw refuse('currency_mismatch', `This shop sells in ${currency}.`, { details: { currency: other.currency } })
}
