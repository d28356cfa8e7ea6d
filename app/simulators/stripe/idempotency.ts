import { createHash } from 'node:crypto'
import { freshMap, type OpenMap } from '../keep-state.ts'
import { StripeError } from './stripe-error.ts'

export interface StoredAnswer {
  readonly status: number
  readonly body: string
  readonly requestId: string
}

interface Entry {
  readonly path: string
  readonly fingerprint: string
  readonly since: number
  answer: StoredAnswer | undefined
}

export interface IdempotencyKeys {
  /**
   * Takes the key, or answers what is stored under it.
   * Throws 400 `idempotency_error` on another path or other parameters, 409 `idempotency_key_in_use` while in flight.
   */
  begin(key: string, path: string, params: Readonly<Record<string, string>>): StoredAnswer | undefined
  store(key: string, answer: StoredAnswer): void
  /** The call never began: the key is free again. */
  release(key: string): void
  clear(): void
}

/** Stripe keeps a key for at least 24 h and may then forget it; here it is forgotten after `lifetimeMs`. */
export function createIdempotencyKeys(lifetimeMs: number, open: OpenMap = freshMap): IdempotencyKeys {
  const entries = open<Entry>('keys')
  // Of calls that ended with an earlier process.
  for (const [key, { answer }] of entries) if (!answer) entries.delete(key)
  return {
    begin(key, path, params) {
      if (key.length > 255) {
        throw new StripeError(400, 'Idempotency keys must be at most 255 characters long.', {
          type: 'idempotency_error',
        })
      }
      const fingerprint = fingerprintOf(params)
      const entry = entries.get(key)
      const live = entry && (!entry.answer || Date.now() - entry.since < lifetimeMs)
      if (!live) {
        entries.set(key, { path, fingerprint, since: Date.now(), answer: undefined })
        return undefined
      }
      if (entry.path !== path)
        throw reused('for the same endpoint they were first used for', `('${path}' instead of '${entry.path}')`, key)
      if (entry.fingerprint !== fingerprint) throw reused('with the same parameters they were first used with', '', key)
      if (!entry.answer) throw inFlight(key)
      return entry.answer
    },
    store(key, answer) {
      const entry = entries.get(key)
      if (entry) entry.answer = answer
    },
    release(key) {
      if (!entries.get(key)?.answer) entries.delete(key)
    },
    clear() {
      entries.clear()
    },
  }
}

/** Also thrown by a fault. Stripe asks clients to try again. */
export function inFlight(key: string | null): StripeError {
  return new StripeError(
    409,
    `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key ?? '-'}`,
    { type: 'idempotency_error', code: 'idempotency_key_in_use' },
    false,
    { 'stripe-should-retry': 'true' },
  )
}

function reused(how: string, detail: string, key: string): StripeError {
  const difference = detail ? ` ${detail}` : ''
  return new StripeError(
    400,
    `Keys for idempotent requests can only be used ${how}${difference}. Try using a key other than '${key}' if you meant to execute a different request.`,
    { type: 'idempotency_error' },
    false,
    { 'stripe-should-retry': 'false' },
  )
}

/** The order of parameters means nothing. */
function fingerprintOf(params: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(pairs)).digest('hex')
}
