import { conflict, defineOperation, expectVersion, refuse, type AtomicContext, type SqlTransaction } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { findAddress, replaceAddress } from './addresses.queries.ts'
import { addressChange } from './addresses.schema.ts'
import type { Address, AddressFields } from './addresses.ts'

interface Recorded {
  readonly id: string
  readonly version: number
  readonly before: AddressFields
}

/** Changes fields of an address; with If-Match only the version that was seen. Orders keep the copy they have. */
export const changeAddress = defineOperation({
  name: 'address.change',
  input: addressChange,
  errors: {
    address_not_found: 'There is no such address of this account.',
    address_exists: 'Another address of this account is equal to it then.',
  },
  // What is left out of a change is kept as it was read, so that parallel changes of one address lose races to each other.
  tries: 5,
  onDisconnect: 'finish',
  onCancel:
    'The address stays as it is. Once it is changed, undoing puts the old one back, unless it was changed again.',
  undo: {
    record: ({ result, noted }: { readonly result: Address; readonly noted: AddressFields }): Recorded => ({
      id: result.id,
      version: result.version,
      before: noted,
    }),
    async run({ tx, scope }: AtomicContext<SqlTransaction>, recorded: Recorded): Promise<Address> {
      const { id, version } = recorded
      const restored = await replaceOnce(tx, { accountId: accountOf(scope), id, version, fields: recorded.before })
      if (!restored) throw refuse('undo_outdated', 'The address has changed since.')
      return restored
    },
  },
  async run(ctx, { id, ...changes }): Promise<Address> {
    const { tx, scope, ifMatch } = ctx
    const accountId = accountOf(scope)
    const found = isId(id) ? await findAddress(tx, accountId, id) : undefined
    if (!found || found.deleted) throw refuse('address_not_found', 'There is no such address.')
    const { address } = found
    // What is left out stays as it was read, so the write holds for that version only.
    if (ifMatch !== undefined) expectVersion(address.version, ifMatch)
    const fields = merged(address, changes)
    const written = await replaceOnce(tx, { accountId, id, version: address.version, fields })
    if (!written) {
      const now = await findAddress(tx, accountId, id)
      if (!now || now.deleted) throw refuse('address_not_found', 'There is no such address.')
      expectVersion(now.address.version, ifMatch)
      throw conflict('The address has changed in the same moment.')
    }
    ctx.note(address)
    return written
  },
})

function merged(
  address: AddressFields,
  changes: { readonly [Name in keyof AddressFields]?: AddressFields[Name] | null },
): AddressFields {
  const { name, line1, line2, city, region, postalCode, country, phone } = address
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
  return { name, line1, line2, city, region, postalCode, country, phone, ...given } as AddressFields
}

/** Throws `address_exists` where the account has an equal one. */
async function replaceOnce(
  tx: SqlTransaction,
  write: Parameters<typeof replaceAddress>[1],
): Promise<Address | undefined> {
  try {
    return await replaceAddress(tx, write)
  } catch (cause) {
    if ((cause as { constraint?: string }).constraint !== 'address_once') throw cause
    throw refuse('address_exists', 'There is an equal address.', { cause })
  }
}
