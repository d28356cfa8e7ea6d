import { defineOperation, expectVersion, refuse, type AtomicContext, type SqlTransaction } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { findAddress, markAddress } from './addresses.queries.ts'
import { addressRemoval } from './addresses.schema.ts'

interface Recorded {
  readonly id: string
  /** `null`: it had been deleted before. */
  readonly version: number | null
}

interface Deleted {
  readonly id: string
  readonly deleted: true
}

/** Deletes an address; twice is once. */
export const deleteAddress = defineOperation({
  name: 'address.delete',
  input: addressRemoval,
  errors: { address_not_found: 'There is no such address of this account.' },
  onDisconnect: 'finish',
  onCancel: 'The address stays. Once it is deleted, undoing brings it back, unless an equal one was added since.',
  undo: {
    record: ({ result, noted }: { readonly result: Deleted; readonly noted?: number }): Recorded => ({
      id: result.id,
      version: noted ?? null,
    }),
    async run(
      { tx, scope }: AtomicContext<SqlTransaction>,
      { id, version }: Recorded,
    ): Promise<{ id: string; deleted: boolean }> {
      if (version === null) return { id, deleted: true }
      try {
        const back = await markAddress(tx, { accountId: accountOf(scope), id, version, deleted: false })
        if (back === undefined) throw refuse('undo_outdated', 'The address has changed since.')
      } catch (cause) {
        if ((cause as { constraint?: string }).constraint !== 'address_once') throw cause
        throw refuse('undo_outdated', 'An equal address was added since.', { cause })
      }
      return { id, deleted: false }
    },
  },
  async run(ctx, { id }): Promise<Deleted> {
    const { tx, scope, ifMatch } = ctx
    const accountId = accountOf(scope)
    if (!isId(id)) throw refuse('address_not_found', 'There is no such address.')
    const version = await markAddress(tx, { accountId, id, version: ifMatch, deleted: true })
    const done: Deleted = { id, deleted: true }
    ctx.note(version)
    if (version !== undefined) return done
    const found = await findAddress(tx, accountId, id)
    if (!found) throw refuse('address_not_found', 'There is no such address.')
    if (!found.deleted) expectVersion(found.address.version, ifMatch)
    return done
  },
})
