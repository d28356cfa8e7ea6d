import { defineOperation, refuse } from 'safepoint'
import { z } from 'zod'
import { announceEnded } from './ended-sessions.ts'
import { usePasswordReset } from './passwords.queries.ts'

/**
 * Sets the password that whoever holds the link has chosen, once, and ends every session of the account. The password comes in
 * hashed: that takes longer than a transaction may.
 */
export const resetPassword = defineOperation({
  name: 'password.reset',
  input: z.strictObject({ resetId: z.uuid(), passwordHash: z.string() }),
  errors: {
    reset_invalid: 'The link was used, is too old, or was replaced.',
    busy: 'Too many log-ins at once; come back in a second.',
  },
  onDisconnect: 'finish',
  onCancel: 'The password stays as it is, and the link stays good.',
  keep: 'The old password is known to nobody here: ask for another link.',
  // A retry meets a link that the first one has used.
  lookUpFirst: true,
  async run({ tx }, { resetId, passwordHash }): Promise<void> {
    const ended = await usePasswordReset(tx, { resetId, passwordHash })
    if (!ended) throw refuse('reset_invalid', 'This link is not good any more.')
    announceEnded(tx, ended)
  },
})
