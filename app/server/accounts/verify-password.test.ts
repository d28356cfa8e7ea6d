import { expect, test } from 'vitest'
import { hashPassword, verifyPassword } from './passwords.ts'

// In a file of its own: it is about the first log-in of a process.
test('a first log-in that finds the queue full is told to come back, and the next one with an unknown address is served', async () => {
  let isCrowded = true
  const crowd = Array.from({ length: 80 }, async () => {
    while (isCrowded) await hashPassword('one of many').catch(() => new Promise(setImmediate))
  })
  await expect(verifyPassword(undefined, 'a guess')).rejects.toMatchObject({ code: 'busy', retryable: true })
  isCrowded = false
  await Promise.all(crowd)
  expect(await verifyPassword(undefined, 'a guess')).toBe(false)
  expect(await verifyPassword(await hashPassword('right'), 'right')).toBe(true)
})
