import { randomUUID } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { press } from '../../simulators/razorpay/browser.ts'
import { startRazorpaySimulator } from '../../simulators/razorpay/start-razorpay-simulator.ts'
import { startStripeSimulator } from '../../simulators/stripe/start-stripe-simulator.ts'
import { signStripe } from '../../simulators/stripe/webhook-signature.ts'
import { runCommand } from '../cli/run-command.ts'
import { readOfferedGateways } from '../payments/offered-gateways.ts'
import { bookOf, orderWorld, placeOne } from '../test/order-world.ts'
import { askDisputesJob } from './ask-disputes.ts'

const adminEmail = 'owner@example.com'
const secrets = { secretKey: 'sk_test_disputes', webhookSecret: 'whsec_disputes' }
const keys = { keyId: 'rzp_test_disputes', keySecret: 'secret_disputes', webhookSecret: 'whsec_disputes_rzp' }
const stripe = await startStripeSimulator(secrets)
const razorpay = await startRazorpaySimulator(keys)
const gateways = readOfferedGateways(
  {},
  {
    stripe: { baseUrl: stripe.url, ...secrets },
    razorpay: { baseUrl: razorpay.url, ...keys, webhookSecrets: [keys.webhookSecret] },
  },
)
const world = await orderWorld({ gateways, adminEmail })
afterAll(async () => {
  await stripe.close()
  await razorpay.close()
})
const { safepoint, operations, sql, composed } = world
const origin = await world.listen()
await world.jobs.work([composed.webhooks.job])
stripe.webhooks.endpoint = { url: `${origin}/api/payments/stripe-webhook`, secret: secrets.webhookSecret }
razorpay.webhooks.endpoint = { url: `${origin}/api/payments/razorpay-webhook`, secret: keys.webhookSecret }

async function asAdmin(email: string) {
  const who = { email, password: 'correct horse battery' }
  const post = (path: string, body: object) =>
    fetch(`${origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  await post('/api/auth/register', { ...who, name: 'Owner' })
  await sql(`update pantry.account set role = 'admin' where email = $1`, [email])
  const { accessToken } = (await (await post('/api/auth/login', who)).json()) as { accessToken: string }
  return async (path: string): Promise<any> =>
    (await fetch(`${origin}${path}`, { headers: { authorization: `Bearer ${accessToken}` } })).json()
}
const read = await asAdmin(adminEmail)
await asAdmin('another@example.com')

const control = async (vendor: string, path: string, body: object = {}): Promise<any> => {
  const answer = await fetch(`${vendor}/_control${path}`, { method: 'POST', body: JSON.stringify(body) })
  const told = await answer.json()
  expect(answer.status, JSON.stringify(told)).toBe(200)
  return told
}

async function paidOnStripe() {
  const placed = await placeOne(world)
  const key = randomUUID()
  const answer = await safepoint.run(
    operations.confirmOrder,
    { id: placed.order.id, gateway: 'stripe', paymentMethod: 'pm_card_visa' },
    { scope: placed.customer.scope, key },
  )
  if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
  const charge = [...stripe.book.charges.values()].find(({ metadata }) => metadata['order'] === placed.order.id)!
  return { ...placed, paymentId: answer.result.payment.id, chargeId: charge.id, key }
}

async function paidOnRazorpay() {
  const placed = await placeOne(world)
  const answer = await safepoint.run(
    operations.confirmOrder,
    { id: placed.order.id, gateway: 'razorpay' },
    { scope: placed.customer.scope, key: randomUUID() },
  )
  if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
  const { url, fields } = answer.result.payment.checkout!
  await press({ url, ...(fields && { fields }) }, 'pay')
  const { id: orderId } = placed.order
  await until(
    async () => (await sql('select status from pantry.orders where id = $1', [orderId]))[0]!['status'] === 'completed',
  )
  const [row] = await sql('select id, gateway_reference from pantry.payment where order_id = $1', [orderId])
  return { ...placed, paymentId: row!['id'] as string, chargeId: row!['gateway_reference'] as string }
}

const refund = (id: string, more: object = {}) =>
  safepoint.run(operations.refundOrder, { id, reason: 'x', ...more }, { scope: 'staff', key: randomUUID() })
const cancel = (scope: string, id: string) =>
  safepoint.run(operations.cancelOrder, { id }, { scope, key: randomUUID() })
/** Whether it was refused at once, which leaves the key free, or as the operation's last word. */
const refusalOf = async (run: Promise<any>): Promise<{ code: string; details: object }> => {
  const answer = await run.catch((error: unknown) => ({ error }))
  return answer.error
}
const refused = { code: 'payment_disputed' }
const untilStatus = (id: string, status: string) =>
  until(
    async () => (await sql('select status from pantry.dispute where dispute_id = $1', [id]))[0]?.['status'] === status,
    {
      message: `${id} is ${status}`,
    },
  )
const disputesIn = async (orderId: string): Promise<string[]> =>
  (await read(`/api/admin/orders/${orderId}`)).history
    .map(({ reason }: { reason: string }) => reason)
    .filter((reason: string) => reason.startsWith('dispute_'))
const mailsAbout = (disputeId: string) =>
  sql(
    `select recipient, template, data ->> 'status' as status from pantry.mail where data ->> 'disputeId' = $1 order by id`,
    [disputeId],
  )
const attentionTo = async (paymentId: string) =>
  (await read('/api/admin/payments?state=needs_attention&limit=100')).items.find(
    ({ id }: { id: string }) => id === paymentId,
  )?.attention
const sums = async (paymentId: string) =>
  (
    await sql(
      `select status, captured_amount::int as captured, refunded_amount::int as refunded, disputed_amount::int as disputed
      from pantry.payment where id = $1`,
      [paymentId],
    )
  )[0]

test('a dispute reaches a human: in the order’s history, among what needs attention, on the command line, and by one mail a state', async () => {
  const { order, customer, paymentId, chargeId } = await paidOnStripe()
  const dispute = await control(stripe.url, `/charges/${chargeId}/dispute`)
  await untilStatus(dispute.id, 'open')
  expect(await disputesIn(order.id)).toEqual(['dispute_opened'])
  expect(await attentionTo(paymentId)).toEqual({ because: 'disputed', amount: { amount: 25_000, currency: 'INR' } })
  const listed = (await read('/api/admin/payments?limit=100')).items.find(({ id }: { id: string }) => id === paymentId)
  expect(listed.disputes).toMatchObject([
    { id: dispute.id, status: 'open', amount: { amount: 25_000 }, reason: 'fraudulent', respondBy: expect.any(String) },
  ])
  const said: string[] = []
  const terminal = { env: { DATABASE_URL: world.url }, out: (text: string) => void said.push(text), err: console.error }
  expect(await runCommand(['payments', 'attention'], terminal)).toBe(0)
  expect(said.join('\n')).toMatch(new RegExp(`disputed .*250\\.00 INR.*stripe.*${order.id}`))
  expect(await runCommand(['orders', 'show', order.id], terminal)).toBe(0)
  expect(said.at(-1)).toContain(`dispute ${dispute.id}: open, 250.00 INR, fraudulent`)

  await control(stripe.url, `/disputes/${dispute.id}/settle`, { outcome: 'lost' })
  await untilStatus(dispute.id, 'lost')
  expect(await disputesIn(order.id)).toEqual(['dispute_opened', 'dispute_lost'])
  expect(await attentionTo(paymentId)).toBeUndefined()
  expect(await mailsAbout(dispute.id)).toEqual([
    { recipient: adminEmail, template: 'dispute', status: 'open' },
    { recipient: adminEmail, template: 'dispute', status: 'lost' },
  ])
  // Whoever paid is not told in the shop what the administrators are.
  const { tokens } = composed.pantry
  const sessionId = randomUUID()
  await sql(`insert into pantry.session (id, account_id, expires_at) values ($1, $2, now() + interval '1 hour')`, [
    sessionId,
    customer.accountId,
  ])
  const token = await tokens.issueAccess({ accountId: customer.accountId, sessionId, role: 'customer' })
  const own = await fetch(`${origin}/api/orders/${order.id}`, { headers: { authorization: `Bearer ${token}` } })
  const text = await own.text()
  expect([own.status, /dispute/i.test(text)], text).toEqual([200, false])
})

test('a dispute that is lost leaves the books right: what the gateway took and gave back stays, and nothing goes back twice', async () => {
  const { order, customer, paymentId, chargeId } = await paidOnStripe()
  expect((await refund(order.id, { amount: 5000 })).outcome).toBe('succeeded')
  const dispute = await control(stripe.url, `/charges/${chargeId}/dispute`, { amount: 20_000 })
  await untilStatus(dispute.id, 'open')
  for (const outcome of ['open', 'lost']) {
    if (outcome === 'lost') await control(stripe.url, `/disputes/${dispute.id}/settle`, { outcome })
    await untilStatus(dispute.id, outcome)
    const moving = () => stripe.calls.list().filter(({ method }) => method === 'POST').length
    const before = moving()
    expect(await refusalOf(refund(order.id))).toMatchObject(refused)
    expect(await refusalOf(refund(order.id, { amount: 1 }))).toMatchObject(refused)
    expect(await refusalOf(cancel(customer.scope, order.id))).toMatchObject(refused)
    // Whoever only looks, as what an event wakes does, is no matter.
    expect(moving()).toBe(before)
    expect(await sums(paymentId)).toEqual({ status: 'captured', captured: 25_000, refunded: 5000, disputed: 20_000 })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'completed',
      closing: false,
      stock: [{ on_hand: 3, reserved: 0, moved: 3 }],
    })
  }
  expect(await safepoint.run(operations.settlePayment, { paymentId, retry: true }, { scope: 'shop' })).toMatchObject({
    outcome: 'succeeded',
  })
  expect(stripe.book.net('order')[order.id]).toMatchObject({ net: 20_000, refunds: 1 })
})

test('an order whose payment is disputed is not undone either, and is as it was when that was asked for', async () => {
  const { order, customer, paymentId, chargeId, key } = await paidOnStripe()
  const dispute = await control(stripe.url, `/charges/${chargeId}/dispute`)
  await untilStatus(dispute.id, 'open')
  expect(await refusalOf(safepoint.undo(customer.scope, key))).toMatchObject(refused)
  expect(await sums(paymentId)).toMatchObject({ status: 'captured', refunded: 0 })
  expect(await bookOf(world, order.id)).toMatchObject({ status: 'completed', closing: false })
})

test('a dispute that is won gives the order back to the shop: it can be cancelled and refunded again', async () => {
  const { order, customer, paymentId, chargeId } = await paidOnStripe()
  const dispute = await control(stripe.url, `/charges/${chargeId}/dispute`)
  await untilStatus(dispute.id, 'open')
  await control(stripe.url, `/disputes/${dispute.id}/settle`, { outcome: 'won' })
  await untilStatus(dispute.id, 'won')
  expect(await sums(paymentId)).toMatchObject({ disputed: 0 })
  expect((await cancel(customer.scope, order.id)).outcome).toBe('succeeded')
  expect(await sums(paymentId)).toMatchObject({ status: 'refunded', refunded: 25_000 })
})

test('an inquiry holds no money: a refund is taken, and ends it; as a chargeback it is told again', async () => {
  const asked = await paidOnStripe()
  const inquiry = await control(stripe.url, `/charges/${asked.chargeId}/dispute`, { inquiry: true })
  await untilStatus(inquiry.id, 'inquiry')
  expect(await attentionTo(asked.paymentId)).toMatchObject({ because: 'disputed' })
  expect((await refund(asked.order.id)).outcome).toBe('succeeded')

  const grown = await paidOnStripe()
  const second = await control(stripe.url, `/charges/${grown.chargeId}/dispute`, { inquiry: true })
  await untilStatus(second.id, 'inquiry')
  await control(stripe.url, `/disputes/${second.id}/settle`, { outcome: 'needs_response' })
  await untilStatus(second.id, 'open')
  expect((await mailsAbout(second.id)).map(({ status }) => status)).toEqual(['inquiry', 'open'])
  expect(await refusalOf(refund(grown.order.id))).toMatchObject(refused)
})

test('Razorpay’s disputes are asked for by their id, and what is not disputed of a payment can be refunded, to the last coin and no further', async () => {
  const { order, paymentId, chargeId } = await paidOnRazorpay()
  const dispute = await control(razorpay.url, `/payments/${chargeId}/dispute`, { amount: 10_000 })
  await untilStatus(dispute.id, 'open')
  expect(await refusalOf(refund(order.id, { amount: 15_001 }))).toMatchObject({
    ...refused,
    details: { left: { amount: 15_000, currency: 'INR' } },
  })
  await control(razorpay.url, `/disputes/${dispute.id}/settle`, { outcome: 'lost' })
  await untilStatus(dispute.id, 'lost')
  // Razorpay would give back all that it has: of that the bank has taken a part already.
  expect((await refund(order.id)).outcome).toBe('succeeded')
  expect(razorpay.book.net('order')[order.id]).toMatchObject({ refunded: 15_000 })
  expect(await refusalOf(refund(order.id))).toMatchObject(refused)
  expect(await sums(paymentId)).toEqual({ status: 'captured', captured: 25_000, refunded: 15_000, disputed: 10_000 })
  expect((await sql('select status from pantry.orders where id = $1', [order.id]))[0]).toEqual({ status: 'completed' })
})

test('the event is a hint: signed and saying that it is lost, of a dispute that is open, it changes nothing; of none, neither', async () => {
  const { order, chargeId } = await paidOnStripe()
  const dispute = await control(stripe.url, `/charges/${chargeId}/dispute`)
  await untilStatus(dispute.id, 'open')
  const deliver = async (object: object) => {
    const event = {
      id: `evt_${randomUUID()}`,
      object: 'event',
      type: 'charge.dispute.closed',
      created: 1,
      data: { object },
    }
    const body = JSON.stringify(event)
    const headers = { 'content-type': 'application/json', ...signStripe(body, secrets.webhookSecret, undefined) }
    const { status } = await fetch(`${origin}/api/payments/stripe-webhook`, { method: 'POST', headers, body })
    expect(status).toBe(200)
    return event.id
  }
  const stateOf = async (id: string) =>
    (await sql('select state, last_error from pantry.webhook_event where event_id = $1', [id]))[0]
  const lie = await deliver({ ...dispute, status: 'lost', amount: 1 })
  await until(async () => (await stateOf(lie))?.['state'] === 'applied')
  const invented = await deliver({ ...dispute, id: 'dp_invented', status: 'lost' })
  await until(async () => (await stateOf(invented))?.['last_error'] !== null)
  await sql(`update pantry.webhook_event set state = 'dead' where event_id = $1`, [invented])
  const other = await paidOnStripe()
  const [intent] = await sql('select gateway_reference from pantry.payment where id = $1', [other.paymentId])
  const foreign = await deliver({ ...dispute, payment_intent: intent!['gateway_reference'] })
  await until(async () => String((await stateOf(foreign))?.['last_error']).includes('payment_not_found'))
  await sql(`update pantry.webhook_event set state = 'dead' where event_id = $1`, [foreign])
  expect(await sql('select status, amount::int from pantry.dispute where dispute_id = $1', [dispute.id])).toEqual([
    { status: 'open', amount: 25_000 },
  ])
  expect([await disputesIn(order.id), await disputesIn(other.order.id)]).toEqual([['dispute_opened'], []])
})

test('news of a dispute ten times at once, the last of it first, is told once a state', async () => {
  const { order, paymentId, chargeId } = await paidOnStripe()
  const { endpoint } = stripe.webhooks
  stripe.webhooks.endpoint = { ...endpoint, url: null }
  const dispute = await control(stripe.url, `/charges/${chargeId}/dispute`)
  stripe.webhooks.endpoint = endpoint
  const note = async () => {
    for (;;) {
      const answer = await safepoint
        .run(operations.noteDispute, { paymentId, disputeId: dispute.id }, { scope: 'shop' })
        .catch((error: { code: string }) => error)
      if (!('code' in answer) || answer.code !== 'conflict') return answer
    }
  }
  await Promise.all(Array.from({ length: 5 }, note))
  await Promise.all([
    control(stripe.url, `/disputes/${dispute.id}/settle`, { outcome: 'lost' }),
    ...Array.from({ length: 5 }, note),
  ])
  await untilStatus(dispute.id, 'lost')
  expect(await disputesIn(order.id)).toEqual(['dispute_opened', 'dispute_lost'])
  expect((await mailsAbout(dispute.id)).map(({ status }) => status)).toEqual(['open', 'lost'])
})

test('where the event that ends a dispute was lost, the shop asks by itself', async () => {
  const { chargeId } = await paidOnStripe()
  const dispute = await control(stripe.url, `/charges/${chargeId}/dispute`)
  await untilStatus(dispute.id, 'open')
  const { endpoint } = stripe.webhooks
  stripe.webhooks.endpoint = { ...endpoint, url: null }
  await control(stripe.url, `/disputes/${dispute.id}/settle`, { outcome: 'won' })
  stripe.webhooks.endpoint = endpoint
  const job = composed.jobs.find(({ name }) => name === askDisputesJob)!
  await job.work({}, new AbortController().signal)
  expect((await sql('select status from pantry.dispute where dispute_id = $1', [dispute.id]))[0]).toEqual({
    status: 'open',
  })
  await sql(`update pantry.dispute set looked_at = looked_at - interval '6 hours' where dispute_id = $1`, [dispute.id])
  await job.work({}, new AbortController().signal)
  expect((await sql('select status from pantry.dispute where dispute_id = $1', [dispute.id]))[0]).toEqual({
    status: 'won',
  })
})
