import { randomUUID } from 'node:crypto'

let millisecond = 0
let prefix = ''

/** A UUID of version 7 (RFC 9562): sorts by the millisecond it was made in. */
export function uuidv7(): string {
  const now = Date.now()
  if (now !== millisecond) {
    const time = now.toString(16).padStart(12, '0')
    millisecond = now
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`
  }
  return prefix + randomUUID().slice(15)
}
