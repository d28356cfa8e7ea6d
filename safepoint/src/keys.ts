import { engineError } from './errors.ts'
import { maxKeyBytes } from './protocol.ts'

/** One word for scope and key; no two pairs share it. */
export const nameOf = (scope: string, key: string): string => `${scope.length}:${scope}:${key}`

/** Keys that the engine derives begin with this; a client's key may not. */
export const derivedPrefix = '~'

/** Throws `key_invalid` unless a key is 1 to 255 bytes of UTF-8 without control characters. */
export function checkKey(key: string): void {
  if (key === '' || Buffer.byteLength(key) > maxKeyBytes || /[\u0000-\u001f\u007f]/.test(key) || !key.isWellFormed()) {
    throw engineError(
      'key_invalid',
      `An idempotency key has 1 to ${maxKeyBytes} bytes of UTF-8 and no control characters.`,
    )
  }
}

export function checkClientKey(key: string): void {
  checkKey(key)
  if (key.startsWith(derivedPrefix)) {
    throw engineError('key_invalid', `Keys that begin with "${derivedPrefix}" are derived by the server.`)
  }
}
