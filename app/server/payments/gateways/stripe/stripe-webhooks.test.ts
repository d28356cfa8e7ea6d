import { describe, expect, it } from 'vitest'
import { call, gateway, queue, receiver, request, useStripeGateway } from './stripe.test.setup.ts'
import { readStripeWebhook, verifyStripeSignature } from './stripe-webhooks.ts'

useStripeGateway()

describe('webhook signatures', () => {
  const body = Buffer.from('{"id":"evt_1","object":"event","type":"payment_intent.succeeded"}')
  const secret = 'whsec_test_secret'
  const golden = '67da5088c63e080c71bd2bb0cb5c03d85a8fc6a21ce3aaf484df809654745b92'
  const at = 1_700_000_000
  const zeros = '0'.repeat(64)

  it.each([
    ['the golden vector', `t=${at},v1=${golden}`, 0, 'verified'],
    ['one of several, while the secret is rotated', `t=${at},v1=${zeros},v1=${golden}`, 0, 'verified'],
    ['other schemes beside it', `t=${at},v0=${zeros},v1=${golden}`, 0, 'verified'],
    ['300 seconds of age', `t=${at},v1=${golden}`, 300, 'verified'],
    ['301 seconds of age', `t=${at},v1=${golden}`, 301, 'timestamp_expired'],
    ['a clock behind the sender', `t=${at},v1=${golden}`, -10_000, 'verified'],
    ['another signature', `t=${at},v1=${zeros}`, 0, 'signature_mismatch'],
    ['another time than was signed', `t=${at + 1},v1=${golden}`, 0, 'signature_mismatch'],
    ['a cut signature', `t=${at},v1=${golden.slice(0, 62)}`, 0, 'signature_mismatch'],
    ['the right signature under another scheme', `t=${at},v0=${golden}`, 0, 'malformed'],
    ['no time', `v1=${golden}`, 0, 'malformed'],
    ['nonsense', 'nonsense', 0, 'malformed'],
  ])('%s', (_, header, age, verdict) => {
    expect(verifyStripeSignature(body, header, secret, (at + age) * 1000)).toBe(verdict)
  })

  it('are over the raw bytes and the whole secret', () => {
    const header = `t=${at},v1=${golden}`
    const spaced = Buffer.from(body.toString().replace(':', ': '))
    expect(verifyStripeSignature(spaced, header, secret, at * 1000)).toBe('signature_mismatch')
    expect(verifyStripeSignature(body, header, 'test_secret', at * 1000)).toBe('signature_mismatch')
  })

  it('are looked for under any case of the header, and only once', () => {
    const header = `t=${at},v1=${golden}`
    const read = (headers: Record<string, string | string[]>) =>
      readStripeWebhook({ rawBody: body, headers }, secret, at * 1000)
    expect(read({})).toEqual({ status: 'rejected', reason: 'unsigned' })
    expect(read({ 'stripe-signature': [header, header] })).toEqual({ status: 'rejected', reason: 'malformed' })
    // Signed well, and still no event: it has no data.
    expect(read({ 'Stripe-Signature': header })).toEqual({ status: 'rejected', reason: 'malformed' })
  })
})

describe('webhooks over the wire', () => {
  async function readAll(count: number) {
    const received = await receiver.until(count)
    return Promise.all(received.map((one) => gateway.readWebhook(one, Date.now(), call('w'))))
  }

  it('say which payment of ours was captured, and what was given back', async () => {
    const result = await gateway.charge(request(), call('k1'))
    if (result.status !== 'captured') throw new Error(result.status)
    await receiver.until(1)
    await gateway.refund({ paymentId: result.payment.id, amount: 1000 }, call('r1'))
    const readings = await readAll(2)
    expect(readings).toMatchObject([
      {
        status: 'verified',
        event: {
          id: expect.stringMatching(/^evt_/),
          type: 'payment_intent.succeeded',
          subject: { kind: 'payment', payment: result.payment },
        },
      },
      {
        status: 'verified',
        event: {
          type: 'charge.refunded',
          subject: {
            kind: 'refund',
            paymentId: result.payment.id,
            refunded: 1000,
            currency: 'INR',
            page: null,
            order: 'o1',
          },
        },
      },
    ])
  })

  it('say which checkout has expired', async () => {
    const open = await gateway.createCheckout(
      {
        amount: 4200,
        currency: 'INR',
        order: 'o1',
        description: 'x',
        successUrl: 'https://a.example',
        cancelUrl: 'https://a.example',
      },
      call('c1'),
    )
    await gateway.closeCheckout(open.id, call('x1'))
    expect(await readAll(1)).toMatchObject([
      {
        event: {
          type: 'checkout.session.expired',
          subject: { kind: 'checkout', checkout: { id: open.id, status: 'expired', order: 'o1' } },
        },
      },
    ])
  })

  it.each([
    ['wrong_secret', 'signature_mismatch'],
    ['reserialized', 'signature_mismatch'],
    ['stale_timestamp', 'timestamp_expired'],
    ['unsigned', 'unsigned'],
  ] as const)('spoiled by %s are rejected as %s', async (tamper, reason) => {
    queue({ kind: 'webhook', tamper })
    await gateway.charge(request(), call('k1'))
    expect(await readAll(1)).toEqual([{ status: 'rejected', reason }])
  })
})
