import { expect, it } from 'vitest'
import { defaultTries, retryDelay } from './webhook-events.ts'

it('an event is tried soon at first, then once an hour, and for about a day before it is given up', () => {
  const delays = Array.from({ length: defaultTries - 1 }, (_, tried) => retryDelay(tried + 1))
  expect(delays.slice(0, 4)).toEqual([1000, 2000, 4000, 8000])
  expect(Math.max(...delays)).toBe(3600_000)
  const hours = delays.reduce((sum, delay) => sum + delay, 0) / 3600_000
  expect(hours).toBeGreaterThan(22)
  expect(hours).toBeLessThan(26)
})
