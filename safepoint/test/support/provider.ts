import http from 'node:http'
import { SafepointError, type CallContext } from '../../src/index.ts'

export interface Call {
  readonly path: string
  readonly key: string
  readonly at: number
}

/**
 * A payment provider with a book, over real HTTP. It honours idempotency keys, finds charges by them and refunds them.
 * `faults` are taken one a call to `/charge`: what arrives still happens unless the fault says otherwise.
 */
export async function startProvider() {
  const book = new Map<string, { amount: number; refunded: boolean }>()
  const calls: Call[] = []
  const faults: Array<'accept, then drop' | 'drop before' | 'decline' | { readonly hold: Promise<unknown> }> = []
  let undoFaults = 0
  const server = http.createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => (text += chunk))
    const handle = async () => {
      const key = String(request.headers['idempotency-key'])
      const body = text === '' ? {} : JSON.parse(text)
      const path = request.url!
      calls.push({ path, key, at: performance.now() })
      const answer = (status: number, value: unknown) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(value))
      }
      if (path === '/charge') {
        const fault = faults.shift()
        if (fault === 'drop before') return void request.socket.destroy()
        if (fault === 'decline') return answer(402, { declined: true })
        if (!book.has(key)) book.set(key, { amount: body.amount, refunded: false })
        if (fault === 'accept, then drop') return void request.socket.destroy()
        if (fault) await fault.hold
        return answer(200, { chargeKey: key })
      }
      if (path === '/find') return answer(200, book.has(body.key) ? { chargeKey: body.key } : null)
      if (path === '/refund') {
        if (undoFaults > 0) {
          undoFaults--
          return answer(500, { message: 'try again' })
        }
        const charge = book.get(body.chargeKey)
        if (charge) charge.refunded = true
        return answer(200, {})
      }
      answer(404, {})
    }
    request.on('end', () => void handle())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const post = async (path: string, body: unknown, context: CallContext): Promise<any> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { 'idempotency-key': context.key, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: context.signal,
    })
    if (response.status === 402) throw new SafepointError('card_declined', 'The card was declined.', { effect: 'none' })
    if (!response.ok) throw new Error(`the provider answered ${response.status}`)
    return response.json()
  }
  return {
    book,
    calls,
    faults,
    failUndos: (times: number) => void (undoFaults = times),
    /** Charges that stand. */
    charged: () => [...book.values()].filter(({ refunded }) => !refunded).length,
    charge: (request: { amount: number }, context: CallContext): Promise<{ chargeKey: string }> =>
      post('/charge', request, context),
    find: (_request: unknown, context: CallContext): Promise<{ chargeKey: string } | undefined> =>
      post('/find', { key: context.key }, context).then((found) => found ?? undefined),
    refund: (done: { response: { chargeKey: string } }, context: CallContext): Promise<void> =>
      post('/refund', done.response, context),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
