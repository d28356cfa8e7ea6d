import { SafepointError } from 'safepoint'
import { expect, test } from 'vitest'
import { tellError } from './log.ts'

test('a database that is away is told in one line, and anything else with its place in the code', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
  const away = new SafepointError('unavailable', 'The database cannot be reached.', { cause: refused })
  for (const error of [refused, away]) {
    expect(tellError(error)).toEqual({
      type: expect.any(String),
      message: expect.any(String),
      code: expect.any(String),
    })
    expect(JSON.stringify(tellError(error))).toContain('ECONNREFUSED 127.0.0.1:1')
  }
  expect(tellError(new TypeError('ours'))).toMatchObject({
    message: 'ours',
    stack: expect.stringContaining('log.test'),
  })
  expect(tellError('a string')).toBe('a string')
})
