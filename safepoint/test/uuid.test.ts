import { expect, it, vi } from 'vitest'
import { uuidv7 } from '../src/uuid.ts'

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

it('identifiers made one after the other are in that order, also within a millisecond and when the clock is set back a little', () => {
  vi.useFakeTimers({ now: 1_800_000_000_000, toFake: ['Date'] })
  try {
    const ids = Array.from({ length: 10_000 }, () => uuidv7())
    vi.setSystemTime(1_799_999_999_900)
    ids.push(uuidv7())
    vi.setSystemTime(1_800_000_000_500)
    ids.push(uuidv7())
    expect(ids.every((id) => form.test(id))).toBe(true)
    expect(ids).toEqual([...new Set(ids)].toSorted())
    expect(Number.parseInt(ids.at(-1)!.replaceAll('-', '').slice(0, 12), 16)).toBe(1_800_000_000_500)
  } finally {
    vi.useRealTimers()
  }
})
