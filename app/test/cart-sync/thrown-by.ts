import assert from 'node:assert/strict'

/** What a promise is rejected with, which it has to be. */
export const thrownBy = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail('It succeeded.'),
    (error: unknown) => error,
  )
