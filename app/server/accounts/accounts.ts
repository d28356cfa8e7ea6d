import { createHash } from 'node:crypto'
import { refuse } from 'safepoint'

export type Role = 'customer' | 'admin'

/** The languages that this shop writes in. */
export const locales = ['en', 'he'] as const
export type Locale = (typeof locales)[number]

export interface Account {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly role: Role
  /** In which its mails are written. */
  readonly locale: Locale
  readonly version: number
}

/** Of a demonstration that only its own machine can reach: everybody may know the password. */
export interface DemoAccount {
  readonly role: Role
  readonly email: string
  readonly password: string
}

/** Who a request comes from, as its access token says. */
export interface Identity {
  readonly accountId: string
  readonly sessionId: string
  readonly role: Role
  /** When the token ends, in Unix seconds. */
  readonly expiresAt: number
}

const scopePrefix = 'user:'

/** The scope of an account's keys. */
export const scopeOf = (accountId: string): string => `${scopePrefix}${accountId}`

/** The account whose scope this is; throws `unauthenticated` for any other scope. */
export function accountOf(scope: string): string {
  if (!scope.startsWith(scopePrefix)) throw refuse('unauthenticated', 'This needs an account.')
  return scope.slice(scopePrefix.length)
}

/** Two spellings of an address that reach one mailbox everywhere are one account. */
export const emailKeyOf = (email: string): string => email.trim().normalize('NFKC').toLowerCase()

/** The scope of keys before there is an account: nobody meets another's key, and no address stands in the table. */
export const emailScopeOf = (email: string): string =>
  `email:${createHash('sha256').update(emailKeyOf(email)).digest('base64url')}`

export const sessionScopeOf = (sessionId: string): string => `session:${sessionId}`

/** How long somebody stays logged in on a device, in milliseconds. */
export const sessionLifetime = 30 * 24 * 3600 * 1000

/** For how long an exchanged refresh token is answered again, in milliseconds: its answer may have been lost. */
export const refreshGrace = 30_000

/** How long a link to a new password is good, in milliseconds. */
export const passwordResetLifetime = 60 * 60_000
