import { conflict, defineOperation, expectVersion, refuse, type AtomicContext, type SqlTransaction } from 'safepoint'
import { accountOf } from './accounts.ts'
import { changeAccount, findAccount, type Profile } from './accounts.queries.ts'
import { profileChange, userOf, type User } from './accounts.schema.ts'

interface Recorded extends Profile {
  readonly version: number
}

/** Changes what an account says of itself; with If-Match only the version that was seen. To change it to what it is changes nothing. */
export const changeProfile = defineOperation({
  name: 'account.change-profile',
  input: profileChange,
  errors: { unauthenticated: 'This account is closed.' },
  onDisconnect: 'finish',
  onCancel:
    'The profile stays as it is. Once it is changed, undoing puts the old one back, unless it was changed again.',
  undo: {
    record: ({ noted }: { readonly noted: Recorded }) => noted,
    async run({ tx, scope }: AtomicContext<SqlTransaction>, { version, name, locale }: Recorded): Promise<User> {
      const done = await changeAccount(tx, { id: accountOf(scope), name, locale, version })
      if (!done) throw refuse('undo_outdated', 'The profile has changed since.')
      return userOf(done.account)
    },
  },
  async run(ctx, { name, locale }): Promise<User> {
    const { tx, scope, ifMatch } = ctx
    const id = accountOf(scope)
    const done = await changeAccount(tx, {
      id,
      version: ifMatch,
      ...(name !== undefined && { name }),
      ...(locale && { locale }),
    })
    if (done) {
      ctx.note({ version: done.account.version, ...done.before } satisfies Recorded)
      return userOf(done.account)
    }
    const account = await findAccount(tx, id)
    if (!account) throw refuse('unauthenticated', 'This account is closed.')
    expectVersion(account.version, ifMatch)
    throw conflict('The profile has changed in the same moment.')
  },
})
