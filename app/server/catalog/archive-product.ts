import { conflict, defineOperation, expectVersion, refuse, type AtomicContext, type SqlTransaction } from 'safepoint'
import { assertAdministrator } from '../accounts/assert-administrator.ts'
import { announce } from '../announce.ts'
import { isId } from '../http.ts'
import { catalogTopic } from './catalog.ts'
import { productRemoval } from './catalog-admin.schema.ts'
import { archiveStored, findStoredProduct, restoreStored } from './stored-products.queries.ts'
import { getView, noSuchProduct } from './write-product.ts'
import type { AdminProduct } from './view-stored-product.ts'

interface Recorded {
  readonly id: string
  /** `null`: it had been archived before. */
  readonly version: number | null
}

interface Archived {
  readonly id: string
  readonly archived: true
  readonly version: number
}

/** Takes a product out of the catalogue; twice is once. Cart lines stay, as unavailable; orders that hold its stock go on. */
export const archiveProduct = defineOperation({
  name: 'product.archive',
  input: productRemoval,
  errors: { product_not_found: 'There is no such product.' },
  onDisconnect: 'finish',
  onCancel:
    'The product stays in the catalogue. Once it is archived, undoing brings it back, unless it was changed since.',
  undo: {
    record: ({ result, noted }: { readonly result: Archived; readonly noted?: number }): Recorded => ({
      id: result.id,
      version: noted ?? null,
    }),
    async run({ tx, scope }: AtomicContext<SqlTransaction>, { id, version }: Recorded): Promise<AdminProduct> {
      await assertAdministrator(tx, scope)
      if (version !== null) {
        const back = await restoreStored(tx, { id, version })
        if (back === undefined) throw refuse('undo_outdated', 'The product has changed since.')
        announce(tx, catalogTopic)
      }
      return getView(tx, id)
    },
  },
  async run(ctx, { id }): Promise<Archived> {
    const { tx, ifMatch } = ctx
    if (!isId(id)) throw noSuchProduct()
    const version = await archiveStored(tx, { id, version: ifMatch })
    ctx.note(version)
    if (version !== undefined) {
      announce(tx, catalogTopic)
      return { id, archived: true, version }
    }
    const found = await findStoredProduct(tx, id)
    if (!found) throw noSuchProduct()
    if (found.archived) return { id, archived: true, version: found.version }
    expectVersion(found.version, ifMatch)
    throw conflict('The product has changed in the same moment.', { currentVersion: found.version })
  },
})
