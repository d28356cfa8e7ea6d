import { uuidv7 } from 'safepoint'
import type { Reader } from '../database.ts'
import { emailKeyOf, type Role } from './accounts.ts'
import { findAccount, findCredentials, insertAccount } from './accounts.queries.ts'
import { hashPassword } from './passwords.ts'

/** Makes an account at start-up, unless there is one with its address. Answers whether the account there is has the role. */
export async function seedAccount(
  tx: Reader,
  account: { readonly email: string; readonly password: string; readonly name: string; readonly role: Role },
): Promise<boolean> {
  const emailKey = emailKeyOf(account.email)
  const there = await findCredentials(tx, emailKey)
  if (there) return (await findAccount(tx, there.id))?.role === account.role
  const { email, name, role } = account
  const made = await insertAccount(tx, {
    id: uuidv7(),
    email,
    emailKey,
    name,
    role,
    passwordHash: await hashPassword(account.password),
  })
  return made !== undefined
}
