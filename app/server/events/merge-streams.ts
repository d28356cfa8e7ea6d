/**
 * The items of several streams in one, each as soon as it is there. Asks each for its next item only once its last one was
 * taken, so that a slow reader makes them all wait. Ends when all have ended, throws what the first of them throws; those that
 * are left are returned from.
 */
export async function* mergeStreams<Item>(streams: readonly AsyncIterable<Item>[]): AsyncGenerator<Item> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]())
  const arrived: Array<() => Item | undefined> = []
  let wake = () => {}
  let running = iterators.length
  const pull = (iterator: AsyncIterator<Item>) => {
    const arrive = (take: () => Item | undefined) => {
      arrived.push(take)
      wake()
    }
    iterator.next().then(
      ({ done, value }) =>
        arrive(() => {
          if (done) return void running--
          pull(iterator)
          return value
        }),
      (error: unknown) =>
        arrive(() => {
          throw error
        }),
    )
  }
  try {
    for (const iterator of iterators) pull(iterator)
    while (running > 0) {
      const take = arrived.shift()
      if (!take) {
        await new Promise<void>((resolve) => (wake = resolve))
        continue
      }
      const item = take()
      if (item !== undefined) yield item
    }
  } finally {
    // Not awaited: a generator that waits for its next item returns only when that has come.
    for (const iterator of iterators) Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}
