import { defineOperation, refuse } from 'safepoint'
import { z } from 'zod'
import { accountOf } from './accounts.ts'
import { announceEnded } from './ended-sessions.ts'
import { changeCredentials } from './passwords.queries.ts'

/** Sets another password, and ends every session but the one that asks. Both passwords were checked, and the new one hashed, before. */
export const changePassword = defineOperation({
  name: 'password.change',
  input: z.strictObject({
    /** Of the password that was shown; null: it was a wrong one. */
    credentialVersion: z.int().nullable(),
    passwordHash: z.string(),
    sessionId: z.uuid(),
  }),
  errors: {
    password_wrong: 'The current password is another one.',
    busy: 'Too many log-ins at once; come back in a second.',
  },
  onDisconnect: 'finish',
  onCancel: 'The password stays as it is.',
  keep: 'The old password is known to nobody here: change it again.',
  // A retry shows the password that the first one has replaced.
  lookUpFirst: true,
  async run({ tx, scope }, { credentialVersion, passwordHash, sessionId }): Promise<void> {
    const accountId = accountOf(scope)
    const ended =
      credentialVersion === null
        ? undefined
        : await changeCredentials(tx, { accountId, credentialVersion, passwordHash, sessionId })
    if (!ended) throw refuse('password_wrong', 'The current password is another one.')
    announceEnded(tx, ended)
  },
})
