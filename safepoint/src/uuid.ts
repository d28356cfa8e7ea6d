import { randomUUID } from 'node:crypto'

let millisecond = 0
let count = 0
let prefix = ''

/**
 * A UUID of version 7 that is greater than those this process made before: a count from a random start stands behind the
 * millisecond (RFC 9562 section 6.2, method 1), 62 random bits behind that. A clock that is set back by less than a second does not
 * break the order.
 */
export function uuidv7(): string {
  const random = randomUUID()
  const now = Date.now()
  if (now > millisecond || now < millisecond - 1000) {
    startAt(now)
    count = Number.parseInt(random.slice(15, 18), 16) >> 1
  } else if (++count > 0xfff) {
    startAt(millisecond + 1)
    count = 0
  }
  return prefix + count.toString(16).padStart(3, '0') + random.slice(18)
}

function startAt(time: number): void {
  millisecond = time
  const hex = time.toString(16).padStart(12, '0')
  prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-7`
}
