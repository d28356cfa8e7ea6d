import { randomUUID } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { press } from '../../simulators/razorpay/browser.ts'
import { startRazorpaySimulator } from '../../simulators/razorpay/start-razorpay-simulator.ts'
import { startStripeSimulator } from '../../simulators/stripe/start-stripe-simulator.ts'
import { readOfferedGateways } from '../payments/offered-gateways.ts'
import { sweepPaymentsJob } from '../payments/settle-later.ts'
import { payOnPage } from '../payments/webhooks/webhooks.test.setup.ts'
import { bookOf, orderWorld, placeOne } from '../test/order-world.ts'

// Whoever may have to do with a payment, in a random order and several at once: the customer who pays, comes back and cancels, the
// gateway's events, the sweep, two administrators who refund, a bank. Afterwards the books are compared with the gateway's.

const secrets = { secretKey: 'sk_test_random', webhookSecret: 'whsec_random' }
const keys = { keyId: 'rzp_test_random', keySecret: 'secret_random', webhookSecret: 'whsec_random_rzp' }
const stripe = await startStripeSimulator(secrets)
const razorpay = await startRazorpaySimulator(keys)
const vendors = { stripe, razorpay }
const gateways = readOfferedGateways(
  {},
  {
    stripe: { baseUrl: stripe.url, ...secrets },
    razorpay: { baseUrl: razorpay.url, ...keys, webhookSecrets: [keys.webhookSecret] },
  },
)
const world = await orderWorld({ gateways })
afterAll(async () => {
  await stripe.close()
  await razorpay.close()
})
const { safepoint, operations, sql, composed } = world
const origin = await world.listen()
await world.jobs.work([composed.webhooks.job])
stripe.webhooks.endpoint = { url: `${origin}/api/payments/stripe-webhook`, secret: secrets.webhookSecret }
razorpay.webhooks.endpoint = { url: `${origin}/api/payments/razorpay-webhook`, secret: keys.webhookSecret }
const sweep = composed.jobs.find(({ name }) => name === sweepPaymentsJob)!

/** The same figures for the same seed: https://en.wikipedia.org/wiki/Linear_congruential_generator */
function dice(seed: number) {
  let state = BigInt(seed)
  return (below: number): number => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn
    return Number((state >> 33n) % BigInt(below))
  }
}

const expected = new Set([
  'conflict',
  'nothing_to_refund',
  'refund_too_large',
  'payment_disputed',
  'payment_refused',
  'payment_not_found',
  'order_cancelled',
  'gateway_unavailable',
])
/** Its code, where it was turned down; what nobody expects fails the test. */
async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  const answer = (await work.catch((error: unknown) => ({ error }))) as { error?: { code?: string } } | undefined
  const error = answer?.error
  if (error && !expected.has(error.code ?? '')) throw new Error('Nobody expects that.', { cause: error })
  return error?.code
}
/** As clients do. */
async function patiently(work: () => Promise<unknown>): Promise<void> {
  while ((await codeOf(work())) === 'conflict');
}

/** What is wrong afterwards. */
async function playOnce(seed: number, gateway: 'stripe' | 'razorpay'): Promise<string[]> {
  const roll = dice(seed)
  const { order, customer } = await placeOne(world)
  const { id } = order
  const as = (scope: string) => ({ scope, key: randomUUID() })
  const confirmed = await safepoint.run(operations.confirmOrder, { id, gateway }, as(customer.scope))
  if (confirmed.outcome !== 'succeeded') throw new Error(JSON.stringify(confirmed))
  const { id: paymentId, checkout } = confirmed.result.payment
  const control = async (path: string, body: object): Promise<any> =>
    (await fetch(`${vendors[gateway].url}/_control${path}`, { method: 'POST', body: JSON.stringify(body) })).json()
  /** What the gateway has taken of this order: its name there, and what is left of it. */
  const taken = (): { name: string; left: number } | undefined => {
    const [charge] = [...stripe.book.charges.values()].filter(
      ({ metadata, captured }) => metadata['order'] === id && captured,
    )
    if (charge) return { name: charge.id, left: charge.amount_captured - charge.amount_refunded }
    const [payment] = [...razorpay.book.payments.values()].filter(
      ({ order_id, captured }) => razorpay.book.orders.get(order_id)?.notes['order'] === id && captured,
    )
    return payment && { name: payment.id, left: payment.amount - payment.amount_refunded }
  }
  const pay = async () => {
    if (gateway === 'stripe') await payOnPage(checkout!.url!).catch(() => {})
    else
      await press({ url: checkout!.url!, ...(checkout!.fields && { fields: checkout!.fields }) }, 'pay').catch(() => {})
  }
  const refund = (scope: string, amount?: number) => () =>
    safepoint.run(operations.refundOrder, { id, reason: 'x', ...(amount !== undefined && { amount }) }, as(scope))
  const acts: Array<() => Promise<unknown>> = [
    pay,
    () => codeOf(safepoint.run(operations.settlePayment, { paymentId, retry: roll(2) === 0 }, { scope: 'shop' })),
    () => codeOf(safepoint.run(operations.verifyPayment, { id: paymentId }, as(customer.scope))),
    () => sweep.work({}, new AbortController().signal),
    () => patiently(refund('staff', 6000)),
    () => patiently(refund('owner', 7000)),
    () => codeOf(refund('staff')()),
    () => (roll(3) > 0 ? Promise.resolve() : codeOf(safepoint.run(operations.cancelOrder, { id }, as(customer.scope)))),
  ]
  const bank = async () => {
    const found = taken()
    const [held] = await sql('select disputed_amount::int as sum from pantry.payment where id = $1', [paymentId])
    const left = (found?.left ?? 0) - held!['sum']
    if (!found || left < 1000) return
    const path = gateway === 'stripe' ? `/charges/${found.name}/dispute` : `/payments/${found.name}/dispute`
    const dispute = await control(path, { amount: 1000 + roll(left - 999) })
    const stands = (status: string) =>
      until(
        async () => {
          const rows = await sql('select status from pantry.dispute where dispute_id = $1', [dispute.id])
          return rows[0]?.['status'] === status
        },
        { message: `seed ${seed}: ${dispute.id} is ${status}` },
      )
    await stands('open')
    if (roll(2) === 0) return
    const outcome = roll(2) === 0 ? 'lost' : 'won'
    await control(`/disputes/${dispute.id}/settle`, { outcome })
    await stands(outcome)
  }

  const first = roll(4)
  for (let turn = 0; turn < 5; turn++) {
    if (roll(4) === 0)
      vendors[gateway].faults.add({
        match: { method: 'POST', path: gateway === 'stripe' ? '/v1/refunds' : '/v1/payments/*/refund' },
        faults: [{ kind: 'drop', at: 'executed' }],
      })
    if (roll(3) === 0) vendors[gateway].faults.add({ faults: [{ kind: 'webhook', copies: 3 }] })
    if (turn === first) await pay()
    // By itself: what a bank takes in the moment of a refund is twice gone with any gateway.
    if (turn > first && roll(4) === 0) await bank()
    await Promise.all(Array.from({ length: 1 + roll(4) }, () => acts[roll(acts.length)]!()))
  }
  vendors[gateway].faults.clear()

  // Everybody has heard of everything.
  await vendors[gateway].webhooks.idle()
  await until(
    async () => {
      await sql(`update pantry.webhook_event set due_at = clock_timestamp() where state = 'waiting' and gateway = $1`, [
        gateway,
      ])
      await codeOf(safepoint.run(operations.settlePayment, { paymentId, retry: true }, { scope: 'shop' }))
      const [busy] = await sql<{ n: number }>(
        `select (select count(*) from pantry.webhook_event where state = 'waiting')
          + (select count(*) from pantry.payment where order_id = $1 and handled_by is not null)
          + (select count(*) from pantry.orders where id = $1 and closing_by is not null) as n`,
        [id],
      )
      return Number(busy!.n) === 0
    },
    { message: `seed ${seed}: nothing is under way`, timeoutMs: 15_000 },
  )
  const [sums] = await sql(
    `select sum(captured_amount)::int as captured, sum(refunded_amount)::int as refunded, sum(disputed_amount)::int as disputed,
      bool_or(status = 'captured' and not unwanted) as held from pantry.payment where order_id = $1`,
    [id],
  )
  const there = vendors[gateway].book.net('order')[id] ?? { charged: 0, refunded: 0, charges: 0 }
  const told = { seed, gateway, ...sums, there, book: await bookOf(world, id) }
  const { status, stock } = told.book
  const sold = status === 'completed'
  const shelf = JSON.stringify([{ on_hand: sold ? 3 : 5, reserved: 0, moved: sold ? 3 : 5 }])
  const { captured, refunded, disputed } = sums as { captured: number; refunded: number; disputed: number }
  const wrong = {
    'other sums than the gateway': captured !== there.charged || refunded !== there.refunded,
    'more gone than was there': refunded + disputed > captured,
    'charged twice': there.charges > 1,
    'stock does not balance': (sold || status === 'cancelled') && JSON.stringify(stock) !== shelf,
    // But of what a bank decides about.
    'money of a cancelled order kept': status === 'cancelled' && disputed === 0 && there.charged !== there.refunded,
  }
  return Object.entries(wrong).flatMap(([what, is]) => (is ? [`${what}: ${JSON.stringify(told)}`] : []))
}

/** `INTERLEAVINGS=100 npm test -- payment-interleavings` looks further. */
const rounds = Number(process.env.INTERLEAVINGS ?? 3)

test.each([
  ['stripe', 1000],
  ['razorpay', 2000],
] as const)(
  'in whatever order a payment at %s is paid, told of, asked after, refunded, cancelled and disputed, the books are the gateway’s (seeds from %i)',
  async (gateway, seed) => {
    for (let n = 0; n < rounds; n++) expect(await playOnce(seed + n, gateway)).toEqual([])
  },
  20_000 + rounds * 5000,
)
