import { z } from 'zod'
import { locales, type Account } from './accounts.ts'

/** Text that PostgreSQL can store: no NUL, no lone surrogate; trimmed, and not empty after that. */
export const text = (longest: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(longest)
    .refine(
      (value) => value.isWellFormed() && !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(value),
      'has characters that are not text',
    )

const email = z.email().max(254)
const newPassword = z.string().min(8, 'must have at least 8 characters').max(200)

export const registration = z.strictObject({ email, password: newPassword, name: text(120) })
export const credentials = z.strictObject({ email: z.string().min(1).max(254), password: z.string().min(1).max(200) })
/** What is left out stays. */
export const profileChange = z
  .strictObject({ name: text(120).optional(), locale: z.enum(locales).optional() })
  .refine((change) => change.name !== undefined || change.locale !== undefined, 'has nothing to change')
export const passwordForgotten = z.strictObject({ email: z.string().min(1).max(254) })
export const passwordReset = z.strictObject({ token: z.string().min(1).max(200), password: newPassword })
export const passwordChange = z.strictObject({ currentPassword: z.string().min(1).max(200), newPassword })
export const presentedToken = z.strictObject({ refreshToken: z.string().min(1).max(200) })

export const user = z.strictObject({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  role: z.enum(['customer', 'admin']),
  /** In which mails are written. */
  locale: z.enum(locales),
  version: z.int(),
})
export type User = z.output<typeof user>

/** What is stored of opening a session; the tokens are minted at each answer. */
export const openedSession = z.strictObject({ user, sessionId: z.string() })
export type OpenedSession = z.output<typeof openedSession>

export const signedIn = openedSession.extend({
  accessToken: z.string(),
  /** Seconds. */
  expiresIn: z.int(),
  refreshToken: z.string(),
})
export type SignedIn = z.output<typeof signedIn>

export const userOf = ({ id, email: address, name, role, locale, version }: Account): User => ({
  id,
  email: address,
  name,
  role,
  locale,
  version,
})
