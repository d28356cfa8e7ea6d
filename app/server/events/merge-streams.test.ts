import { expect, test } from 'vitest'
import { mergeStreams } from './merge-streams.ts'

/** A stream whose items are put into it, and which says what was asked of it. */
function source() {
  const asked: Array<{ resolve(item: IteratorResult<string>): void; reject(error: Error): void }> = []
  let pulls = 0
  let returned = false
  return {
    pulls: () => pulls,
    returned: () => returned,
    give: (item: string) => asked.shift()!.resolve({ done: false, value: item }),
    end: () => asked.shift()!.resolve({ done: true, value: undefined }),
    fail: (error: Error) => asked.shift()!.reject(error),
    stream: {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          pulls++
          return new Promise<IteratorResult<string>>((resolve, reject) => void asked.push({ resolve, reject }))
        },
        return: async () => {
          returned = true
          return { done: true as const, value: undefined }
        },
      }),
    },
  }
}

test('items come as they arrive, whichever stream they are of, and the end when all have ended', async () => {
  const [one, other] = [source(), source()]
  const merged = mergeStreams([one.stream, other.stream])
  const first = merged.next()
  other.give('b1')
  expect(await first).toEqual({ done: false, value: 'b1' })
  one.give('a1')
  expect(await merged.next()).toEqual({ done: false, value: 'a1' })
  const last = merged.next()
  one.end()
  other.give('b2')
  expect(await last).toEqual({ done: false, value: 'b2' })
  const end = merged.next()
  other.end()
  expect(await end).toEqual({ done: true, value: undefined })
  expect(await mergeStreams([]).next()).toEqual({ done: true, value: undefined })
})

test('a reader that takes nothing is sent nothing: each stream is asked for one item ahead', async () => {
  const one = source()
  const merged = mergeStreams([one.stream])
  const first = merged.next()
  one.give('a1')
  await first
  // Asked for the second as the first was taken; not for a third before the second is.
  expect(one.pulls()).toBe(2)
  one.give('a2')
  await Promise.resolve()
  expect(one.pulls()).toBe(2)
  await merged.next()
  expect(one.pulls()).toBe(3)
})

test('what one stream throws is thrown, and the others are returned from', async () => {
  const [one, other] = [source(), source()]
  const merged = mergeStreams([one.stream, other.stream])
  const first = merged.next()
  other.fail(new Error('the database is away'))
  await expect(first).rejects.toThrow('the database is away')
  expect(one.returned()).toBe(true)
})

test('who stops reading returns from all of them', async () => {
  const [one, other] = [source(), source()]
  const merged = mergeStreams([one.stream, other.stream])
  const first = merged.next()
  one.give('a1')
  await first
  await merged.return(undefined)
  expect([one.returned(), other.returned()]).toEqual([true, true])
})
