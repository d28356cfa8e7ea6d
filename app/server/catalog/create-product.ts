import { defineOperation, refuse, uuidv7, type AtomicContext, type SqlTransaction } from 'safepoint'
import { assertAdministrator } from '../accounts/assert-administrator.ts'
import { newProduct } from './catalog-admin.schema.ts'
import { decideProduct, type ProductFields } from './stored-product.ts'
import { findStoredProduct } from './stored-products.queries.ts'
import { assertCurrency, type CatalogOptions } from './change-product.ts'
import { deliveriesOf, writeProduct } from './write-product.ts'
import type { AdminProduct } from './view-stored-product.ts'

interface Recorded {
  readonly id: string
  readonly version: number
}

/** Puts a product into the catalogue, with its variants and what is on their shelves. More comes in by `stock.adjust`. */
export const createProduct = ({ currency }: CatalogOptions) =>
  defineOperation({
    name: 'product.create',
    input: newProduct,
    errors: {
      currency_mismatch: 'The shop sells in one currency.',
      sku_taken: 'Another variant that is sold has one of the SKUs.',
      variant_required: 'A product has at least one variant.',
      variant_limit: 'A product has a limit of variants.',
    },
    onDisconnect: 'finish',
    onCancel:
      'No product is made. Once it is there, undoing archives it with its variants, unless it was changed since.',
    undo: {
      record: ({ result: { id, version } }: { readonly result: AdminProduct }): Recorded => ({ id, version }),
      async run({ tx, scope }: AtomicContext<SqlTransaction>, { id, version }: Recorded): Promise<AdminProduct> {
        await assertAdministrator(tx, scope)
        const before = await findStoredProduct(tx, id)
        if (before?.version !== version) throw refuse('undo_outdated', 'The product has changed since.')
        // Its variants too, so that their SKUs are free for the next attempt.
        const variants = before.variants.map((variant) => ({ ...variant, archived: true }))
        return writeProduct(tx, { before, after: { ...before, archived: true, variants } })
      },
    },
    async run({ tx, respond, operationId, actor }, { variants, ...fields }): Promise<AdminProduct> {
      assertCurrency(currency, fields, ...variants)
      const empty = { id: uuidv7(), version: 1, archived: false, variants: [] }
      const after = decideProduct(
        { ...empty, ...(fields satisfies ProductFields) },
        { fields, variants: { add: variants } },
      )
      const by = { operationId, ...(actor !== undefined && { actor }) }
      const made = await writeProduct(tx, { after, deliveries: deliveriesOf({ after: after.variants }, variants, by) })
      respond({ status: 201, headers: { location: `/api/admin/products/${made.id}` } })
      return made
    },
  })
