import { randomUUID } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { runCommand } from '../cli/run-command.ts'
import { orderWorld, placeOne } from '../test/order-world.ts'
import { alarmRefundsJob } from './alarm-refunds.ts'

const world = await orderWorld({ refundAlarmDays: 3 })
const { safepoint, operations, sql, stripe, composed } = world
afterEach(() => void stripe.faults.clear())
for (const n of [1, 2])
  await sql(
    `insert into pantry.account (id, email, email_key, name, password_hash, role) values ($1, $2, $2, 'Staff', '-', 'admin')`,
    [randomUUID(), `staff-${n}@example.com`],
  )
const job = composed.jobs.find(({ name }) => name === alarmRefundsJob)!
const alarm = () => job.work({}, new AbortController().signal)

/** A refund that the gateway has taken on, and has not done yet. */
async function pending(amount?: number) {
  const { order, customer } = await placeOne(world)
  const paid = await safepoint.run(
    operations.confirmOrder,
    { id: order.id, gateway: 'stripe', paymentMethod: 'pm_card_visa' },
    { scope: customer.scope, key: randomUUID() },
  )
  if (paid.outcome !== 'succeeded') throw new Error(JSON.stringify(paid))
  stripe.faults.add({ match: { method: 'POST', path: '/v1/refunds' }, faults: [{ kind: 'processing' }] })
  const refund = { id: order.id, reason: 'x', ...(amount !== undefined && { amount }) }
  const back = await safepoint.run(operations.refundOrder, refund, { scope: 'staff', key: randomUUID() })
  if (back.outcome !== 'succeeded') throw new Error(JSON.stringify(back))
  return { orderId: order.id, paymentId: paid.result.payment.id }
}
/** Past the trigger that keeps the time. */
const begunAgo = (paymentId: string, days: number) =>
  sql(`begin; set local session_replication_role = replica;
    update pantry.payment set refunding_since = clock_timestamp() - ${days} * interval '1 day' where id = '${paymentId}'; commit`)
const mailsOf = (paymentId: string) =>
  sql(
    `select recipient, (data -> 'amount' ->> 'amount')::int as amount from pantry.mail
    where template = 'refund_delayed' and data ->> 'paymentId' = $1 order by recipient`,
    [paymentId],
  )
const attention = async (): Promise<any[]> => {
  const said: string[] = []
  const out = (text: string) => void said.push(text)
  expect(
    await runCommand(['payments', 'attention', '--json'], { env: { DATABASE_URL: world.url }, out, err: out }),
  ).toBe(0)
  return JSON.parse(said.join('\n'))
}

test('a refund that is under way for long is told once to those who run the shop, and waits for a human until it has arrived', async () => {
  const whole = await pending()
  const part = await pending(4000)
  const young = await pending()
  for (const { paymentId } of [whole, part]) await begunAgo(paymentId, 3.01)
  await begunAgo(young.paymentId, 2.99)
  await Promise.all([alarm(), alarm()])
  await alarm()
  const toBoth = (amount: number) => [1, 2].map((n) => ({ recipient: `staff-${n}@example.com`, amount }))
  expect(await mailsOf(whole.paymentId)).toEqual(toBoth(25_000))
  expect(await mailsOf(part.paymentId)).toEqual(toBoth(4000))
  expect(await mailsOf(young.paymentId)).toEqual([])
  const delayed = (amount: number) => ({ because: 'refund_delayed', amount: { amount, currency: 'INR' } })
  expect((await attention()).map(({ id, attention: told }) => [id, told])).toEqual(
    expect.arrayContaining([
      [whole.paymentId, delayed(25_000)],
      [part.paymentId, delayed(4000)],
    ]),
  )
  expect((await attention()).map(({ id }) => id)).not.toContain(young.paymentId)

  for (const { id } of stripe.book.refunds.values())
    await fetch(`${stripe.url}/_control/refunds/${id}/settle`, { method: 'POST', body: '{"outcome":"succeeded"}' })
  for (const { paymentId } of [whole, part, young])
    await safepoint.run(operations.settlePayment, { paymentId }, { scope: 'shop' })
  await alarm()
  expect(await attention()).toEqual([])
  expect(
    await sql('select from pantry.payment where refunding_since is not null or refund_alarm_at is not null'),
  ).toEqual([])
  expect(await sql(`select from pantry.mail where template = 'refund_delayed'`)).toHaveLength(4)
})
