import { conflict, defineOperation, refuse, type AtomicContext, type SqlTransaction } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { countAddresses, insertAddress, markAddress } from './addresses.queries.ts'
import { newAddress } from './addresses.schema.ts'
import { addressLimit, type Address } from './addresses.ts'

interface Recorded {
  readonly id: string
  /** `null`: an equal one was there before, so there is nothing to take back. */
  readonly version: number | null
}

/** Keeps an address; an equal one that is there already is answered instead. */
export const addAddress = defineOperation({
  name: 'address.add',
  input: newAddress,
  errors: { address_limit: `An account keeps at most ${addressLimit} addresses.` },
  onDisconnect: 'finish',
  onCancel: 'No address is kept. Once it is kept, undoing deletes it, unless it was changed since.',
  undo: {
    record: ({ result, noted }: { readonly result: Address; readonly noted?: 'made' }): Recorded => ({
      id: result.id,
      version: noted === 'made' ? result.version : null,
    }),
    async run(
      { tx, scope }: AtomicContext<SqlTransaction>,
      { id, version }: Recorded,
    ): Promise<{ id: string; deleted: boolean }> {
      if (version === null) return { id, deleted: false }
      const gone = await markAddress(tx, { accountId: accountOf(scope), id, version, deleted: true })
      if (gone === undefined) throw refuse('undo_outdated', 'The address has changed since.')
      return { id, deleted: true }
    },
  },
  async run(ctx, fields): Promise<Address> {
    const { tx, scope } = ctx
    const accountId = accountOf(scope)
    const kept = await insertAddress(tx, accountId, fields)
    if (!kept) throw conflict('An equal address was deleted in the same moment.')
    if (!kept.made) return kept.address
    if ((await countAddresses(tx, accountId)) > addressLimit) {
      throw refuse('address_limit', 'An account keeps a limited number of addresses.', {
        details: { limit: addressLimit },
      })
    }
    ctx.note('made')
    ctx.respond({ status: 201, headers: { location: `/api/addresses/${kept.address.id}` } })
    return kept.address
  },
})
