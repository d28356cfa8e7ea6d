import { expect, test } from 'vitest'
import { hashPassword, verifyPassword } from './passwords.ts'

// In a file of its own: it is about the first log-in of a process.
test('a first log-in that finds the queue full is told to come back, and the next one with an unknown address is served', async () => {
  const crowd = Promise.allSettled(Array.from({ length: 80 }, () => hashPassword('one of many')))
  await expect(verifyPassword(undefined, 'a guess')).rejects.toMatchObject({ code: 'busy', retryable: true })
  const outcomes = (await crowd).map(({ status }) => status)
  expect(outcomes.filter((status) => status === 'rejected').length).toBeGreaterThan(0)
  expect(await verifyPassword(undefined, 'a guess')).toBe(false)
  expect(await verifyPassword(await hashPassword('right'), 'right')).toBe(true)
})
