import { freshMap, type OpenMap } from '../keep-state.ts'
import { inFlight, invalid, RazorpayError } from './razorpay-error.ts'

/**
 * `X-Refund-Idempotency`: a refund that was made is answered again; another body under its key is refused; while it is being
 * made, 409. A refusal is not kept. https://razorpay.com/docs/api/refunds/normal-refunds-idempotent/
 */
export interface RefundKeys {
  /** The stored answer, or undefined: the key is taken by this call now. Throws for a key of another body, or in flight. */
  begin(key: string, path: string, body: string): string | undefined
  store(key: string, answer: string): void
  release(key: string): void
  clear(): void
}

export function createRefundKeys(open: OpenMap = freshMap): RefundKeys {
  const kept = open<{ readonly request: string; answer: string | undefined }>('refund keys')
  // Of calls that ended with an earlier process.
  for (const [key, { answer }] of kept) if (answer === undefined) kept.delete(key)
  return {
    begin(key, path, body) {
      if (key.length < 10) throw invalid('The idempotency key must be at least 10 characters long.')
      if (!/^[A-Za-z0-9_-]+$/.test(key))
        throw invalid('The idempotency key must only contain alphanumeric characters, underscores, and hyphens')
      const request = `${path}\n${body}`
      const earlier = kept.get(key)
      if (!earlier) {
        kept.set(key, { request, answer: undefined })
        return undefined
      }
      if (earlier.request !== request)
        throw new RazorpayError(400, 'Different request with the same idempotency key has already been processed.')
      if (earlier.answer === undefined) throw inFlight()
      return earlier.answer
    },
    store(key, answer) {
      const taken = kept.get(key)
      if (taken) taken.answer = answer
    },
    release: (key) => void kept.delete(key),
    clear: () => kept.clear(),
  }
}
