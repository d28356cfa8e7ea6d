import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { createCardcomGateway } from './cardcom/cardcom-gateway.ts'
import type { Gateway } from './gateway.ts'
import { createRazorpayGateway } from './razorpay/razorpay-gateway.ts'
import { createStripeGateway } from './stripe/stripe-gateway.ts'

let answer: RequestListener = () => {}
const server = createServer((request, response) => answer(request, response))
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const gateways: Gateway[] = [
  createStripeGateway({ baseUrl, secretKey: 'sk_test', webhookSecret: 'whsec' }),
  createRazorpayGateway({ baseUrl, keyId: 'rzp_test', keySecret: 's', webhookSecrets: ['w'] }),
  createCardcomGateway({ baseUrl, terminalNumber: 1000, apiName: 'n', apiPassword: 'p' }),
]
const call = (timeoutMs = 5000) => ({ key: 'key-of-a-call', signal: new AbortController().signal, timeoutMs })
const page = {
  amount: 1000,
  currency: 'ILS',
  order: 'order-1',
  description: 'Groceries',
  successUrl: 'https://shop.example/back',
  cancelUrl: 'https://shop.example/cart',
  webhookUrl: 'https://shop.example/hook',
  expiresAt: new Date(Date.now() + 3600_000).toISOString(),
}
const payment = '209413394'
/** Whatever talks to the gateway, by whether it could have changed something there. */
const reads: Array<(gateway: Gateway, timeoutMs?: number) => Promise<unknown>> = [
  (gateway, ms) => gateway.getPayment(payment, call(ms)),
  (gateway, ms) => gateway.getCheckout('order_or_page', call(ms)),
  (gateway, ms) => gateway.getDispute?.('dp_1', call(ms)) ?? gateway.getPayment(payment, call(ms)),
]
const writes: typeof reads = [
  (gateway, ms) => gateway.createCheckout(page, call(ms)),
  (gateway, ms) => gateway.refund({ paymentId: payment, amount: 100, order: 'order-1' }, call(ms)),
]
/** CardCom's refund looks at the transaction first: where that fails, nothing was sent. */
const looks = /GetTransactionInfo/i
const outcomeOf = (work: Promise<unknown>): Promise<any> =>
  work.then(
    (value) => ({ answered: value }),
    (error: unknown) => error,
  )

describe.each(gateways.map((gateway) => [gateway.name, gateway] as const))('%s', (_, gateway) => {
  it.each([
    ['a page of HTML', (response) => response.end('<!doctype html><h1>Welcome to nginx</h1>')],
    ['nothing', (response) => response.end()],
    ['another kind of JSON', (response) => response.end('[{"id":1}]')],
    [
      'half of what it began',
      (response) => response.writeHead(200, { 'content-length': 100 }).write('{"id":', () => response.destroy()),
    ],
  ] as const satisfies ReadonlyArray<[string, (response: Parameters<RequestListener>[1]) => void]>)(
    'that answers 200 with %s has told nothing: what reads may be asked again, and of what writes nobody says that it was not done',
    async (_, say) => {
      answer = (request, response) => void request.resume().on('end', () => say(response))
      for (const read of reads) {
        const error = await outcomeOf(read(gateway))
        expect([error.name, error.retryable]).toEqual(['GatewayError', true])
      }
      for (const write of writes) {
        let asked = ''
        const words = answer
        answer = (request, response) => {
          asked = request.url!
          words(request, response)
        }
        const error = await outcomeOf(write(gateway))
        expect([error.name, error.kind]).not.toEqual(['GatewayError', 'refused'])
        expect([asked, error.name, error.effect]).toEqual([
          asked,
          'GatewayError',
          looks.test(asked) ? 'none' : 'unknown',
        ])
      }
    },
  )

  it('that does not answer is left at the end of the time that it was given, whatever is asked', async () => {
    answer = (request) => void request.resume()
    const others: typeof reads = [
      (one, ms) => one.closeCheckout('order_or_page', call(ms)),
      (one, ms) => one.capture({ paymentId: payment, amount: 1000, currency: 'ILS' }, call(ms)),
      (one, ms) => one.cancelPayment(payment, call(ms)),
      (one, ms) => one.reverse({ paymentId: payment, order: 'order-1' }, call(ms)),
      (one, ms) => one.findRefund({ paymentId: payment, amount: 100, order: 'order-1' }, call(ms)),
    ]
    // CardCom's list of refunds is nobody's proof: it is not asked for one.
    const asked = [...reads, ...writes, ...others].slice(
      0,
      gateway.settling.refund.methods.includes('find') ? undefined : -1,
    )
    for (const work of asked) {
      const error = await outcomeOf(work(gateway, 50))
      expect([error.name, error.code]).toEqual(['GatewayError', 'timeout'])
    }
  })

  it('that sends without an end is cut off long before its time, and before it fills the memory', async () => {
    let sent = 0
    answer = (request, response) => {
      request.resume()
      const chunk = Buffer.alloc(256 * 1024, ' ')
      const more = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length
      }
      response.writeHead(200, { 'content-type': 'application/json' }).on('drain', more)
      more()
    }
    const error = await outcomeOf(gateway.getPayment(payment, call(30_000)))
    expect([error.name, error.code]).toEqual(['GatewayError', 'bad_response'])
    expect(sent).toBeLessThan(64 * 1024 * 1024)
  })

  it.each([
    ['7', 7000],
    ['999999999999', 3600_000],
    ['1e99', undefined],
    ['Infinity', undefined],
    ['-1', undefined],
    ['', undefined],
    ['Fri, 31 Dec 9999 23:59:59 GMT', undefined],
  ])('that says Retry-After: %s is asked again within the hour', async (said, wait) => {
    answer = (request, response) =>
      void request.resume().on('end', () => response.writeHead(429, { 'retry-after': said }).end('{}'))
    const error = await outcomeOf(gateway.getPayment(payment, call()))
    expect([error.kind, error.retryAfterMs]).toEqual(['unavailable', wait])
  })
})
