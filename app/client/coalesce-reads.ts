/**
 * However many ask, one read is on its way and one at most waits behind it. Who wants it `fresh` is never given the answer of
 * a read that had left before they asked, since that may have been made before what they know of.
 */
export function coalesceReads<T>(read: () => Promise<T>): (fresh: boolean) => Promise<T> {
  let current: { readonly answer: Promise<T>; left: boolean } | undefined
  let next: Promise<T> | undefined

  function start(): Promise<T> {
    const one = { left: false } as { answer: Promise<T>; left: boolean }
    // Who asks in the same tick shares it.
    one.answer = Promise.resolve()
      .then(() => {
        one.left = true
        return read()
      })
      .finally(() => {
        if (current === one) current = undefined
      })
    current = one
    return one.answer
  }

  return (fresh) => {
    if (current === undefined) return next ?? start()
    if (!fresh || !current.left) return current.answer
    next ??= current.answer
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        next = undefined
        return start()
      })
    return next
  }
}
