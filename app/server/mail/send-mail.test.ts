import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { uuidv7 } from 'safepoint'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { startSmtpSimulator } from '../../simulators/smtp/start-smtp-simulator.ts'
import type { Composed } from '../compose.ts'
import { orderWorld, placeOne } from '../test/order-world.ts'
import { mailKey, type MailState, type MailTemplate } from './mail.ts'
import { queueMail } from './queue-mail.ts'
import { shopScope } from './send-mail.ts'
import { createSmtpRelay, messageIdOf } from './smtp-relay.ts'

const smtp = await startSmtpSimulator()
const from = 'Pantry <shop@pantry.example>'
const mailBackOff = [0, 0]
const world = await orderWorld({ relay: createSmtpRelay({ url: smtp.smtpUrl, from }), mailBackOff })
const { sql, composed: shop } = world
afterAll(async () => {
  smtp.faults.clear()
  await shop.mails.stop()
  await smtp.close()
})
beforeEach(() => {
  smtp.faults.clear()
  smtp.calls.clear()
  smtp.mailbox.clear()
})

const { customer, order } = await placeOne(world, { price: 12_505, quantity: 3 })

interface Row {
  readonly id: string
  readonly state: MailState
  readonly round: number
  readonly failure: string | null
  readonly sent: boolean
}
const rowOf = async (id: string) =>
  (
    await sql<Row>('select id, state, round, failure, sent_at is not null as sent from pantry.mail where id = $1', [id])
  )[0]!
const triesOf = async (id: string) =>
  (await sql('select outcome from pantry.mail_try where mail_id = $1 order by round', [id])).map((row) => row.outcome)
const datas = () => smtp.calls.list().filter(({ method }) => method === 'DATA')

/** In the transaction of what it tells of, as any operation does it. */
async function queue(
  { pantry }: Composed,
  mail: { readonly once?: string; readonly template?: MailTemplate; readonly commit?: boolean } = {},
): Promise<string> {
  const name = mail.once ?? uuidv7()
  await pantry.database.transaction({}, async (tx) => {
    await queueMail(tx, {
      once: name,
      accountId: customer.accountId,
      template: mail.template ?? 'receipt',
      data: { orderId: order.id, total: order.total },
    })
    if (mail.commit === false) throw new Error('rolled back')
  })
  return (await sql<{ id: string }>('select id from pantry.mail where once = $1', [name]))[0]?.id ?? ''
}

/** As a process leaves it that dies right after the commit: nobody was told. */
async function queueUntold(): Promise<string> {
  const id = uuidv7()
  await sql(
    `insert into pantry.mail (id, once, account_id, template, data, recipient) select $1::uuid, $1::text, id, 'receipt', $3, email
     from pantry.account where id = $2`,
    [id, customer.accountId, JSON.stringify({ orderId: order.id, total: order.total })],
  )
  return id
}

const ends = (id: string, state: MailState) =>
  until(async () => (await rowOf(id)).state === state, { message: `${id} is never ${state}` })

describe('a mail', () => {
  it('is sent as soon as what it tells of is committed, in the language of the account', async () => {
    await sql(`update pantry.account set locale = 'he' where id = $1`, [customer.accountId])
    const id = await queue(shop)
    await sql(`update pantry.account set locale = 'en' where id = $1`, [customer.accountId])
    await ends(id, 'sent')
    const [mail, ...more] = smtp.mailbox.inbox(`${customer.accountId}@example.com`)
    expect(more).toEqual([])
    expect(mail).toMatchObject({ messageId: messageIdOf(id, from), subject: expect.stringContaining('קבלה') })
    expect(mail!.html).toContain('dir="rtl"')
    expect(mail!.text).toContain('375.15')
    expect(mail!.text).toContain('Rice')
    expect(await rowOf(id)).toMatchObject({ failure: null, round: 1, sent: true })
  })

  it('that is queued again is one mail, and one whose transaction is rolled back is none', async () => {
    const id = await queue(shop, { once: 'receipt twice' })
    await ends(id, 'sent')
    expect(await queue(shop, { once: 'receipt twice' })).toBe(id)
    expect(await queue(shop, { commit: false })).toBe('')
    await shop.mails.sweep()
    expect(datas()).toHaveLength(1)
  })

  it.each([
    ['confirmation', 'We have your order'],
    ['refund', 'We have refunded ₹375.15'],
    ['payment_failed', 'Your payment of ₹375.15 was declined'],
  ] as const)('of the template %s says what it is about', async (template, words) => {
    await ends(await queue(shop, { template }), 'sent')
    const [mail] = smtp.mailbox.inbox()
    expect(`${mail!.subject}\n${mail!.text}`).toContain(words)
  })

  it('that nobody was told of is found by the sweep', async () => {
    const id = await queueUntold()
    await shop.mails.sweep()
    expect(await rowOf(id)).toMatchObject({ state: 'sent' })
  })

  it('is one message though twenty workers send it at once', async () => {
    const others = await Promise.all(Array.from({ length: 3 }, () => world.another()))
    const id = await queueUntold()
    const workers = Array.from({ length: 20 }, (_, n) => [shop, ...others][n % 4]!)
    const answers = await Promise.all(
      workers.map(({ pantry, operations }) =>
        pantry.safepoint.run(
          operations.mail.sendMail,
          { mailId: id, round: 1 },
          { scope: shopScope, key: mailKey(id, 1) },
        ),
      ),
    )
    expect(answers.map(({ outcome }) => outcome)).toEqual(workers.map(() => 'succeeded'))
    await Promise.all(workers.map(({ mails }) => mails.sweep()))
    expect(datas()).toHaveLength(1)
    expect(smtp.mailbox.inbox()).toHaveLength(1)
    expect(await rowOf(id)).toMatchObject({ state: 'sent' })
    expect(await triesOf(id)).toEqual(['accepted'])
  })
})

describe('a lost answer', () => {
  it('after the text is settled by the same text under the same Message-ID', async () => {
    smtp.faults.add({ match: { method: 'DATA' }, times: 2, faults: [{ kind: 'drop', at: 'executed' }] })
    const id = await queue(shop)
    await ends(id, 'sent')
    const messageId = messageIdOf(id, from)
    expect(datas().map(({ key, outcome, replayed }) => [key, outcome, replayed])).toEqual([
      [messageId, 'dropped', false],
      [messageId, 'dropped', true],
      [messageId, 'answered', true],
    ])
    expect(smtp.mailbox.inbox()).toMatchObject([{ accepted: 3 }])
    expect(await triesOf(id)).toEqual(['accepted'])
  })

  it('that stays lost is tried in later rounds, and is still one message', async () => {
    smtp.faults.add({ match: { method: 'DATA' }, times: 4, faults: [{ kind: 'drop', at: 'executed' }] })
    const id = await queueUntold()
    await shop.mails.sweep()
    expect(await rowOf(id)).toMatchObject({ state: 'queued', round: 2 })
    await shop.mails.sweep()
    expect(await rowOf(id)).toMatchObject({ state: 'sent' })
    expect(await triesOf(id)).toEqual(['unknown', 'accepted'])
    expect(smtp.mailbox.inbox()).toMatchObject([{ accepted: 5 }])
  })

  it('with the process that waited for it is settled by another process', { timeout: 30_000 }, async () => {
    const held = smtp.faults.add({ match: { method: 'DATA' }, faults: [{ kind: 'hang', at: 'executed' }] })
    const id = await queueUntold()
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pantry-mail-'))
    const worker = spawn(process.execPath, ['--conditions=source', path.join(import.meta.dirname, '..', 'worker.ts')], {
      stdio: 'ignore',
      env: {
        PATH: process.env.PATH ?? '',
        DATABASE_URL: world.url,
        DATA_DIR: folder,
        JWT_SECRET: 'x'.repeat(40),
        SMTP_URL: smtp.smtpUrl,
        MAIL_FROM: from,
        OPERATION_LEASE_MS: '500',
      },
    })
    const ended = once(worker, 'exit')
    try {
      await held.held()
      expect(await rowOf(id)).toMatchObject({ state: 'queued' })
    } finally {
      worker.kill('SIGKILL')
      await ended
      fs.rmSync(folder, { recursive: true })
    }
    held.release()
    await ends(id, 'sent')
    expect(smtp.mailbox.inbox()).toMatchObject([{ messageId: messageIdOf(id, from), accepted: 2 }])
    expect(datas().map(({ aborted }) => aborted)).toEqual([true, false])
  })
})

describe('a relay that says no', () => {
  it('for good makes the mail failed, with the words of the relay; sent again by hand it arrives', async () => {
    smtp.faults.add({ match: { method: 'RCPT' }, faults: [{ kind: 'reply', code: 550, text: 'No such person here' }] })
    const id = await queue(shop)
    await ends(id, 'failed')
    expect(await rowOf(id)).toMatchObject({ failure: expect.stringContaining('No such person here'), sent: false })
    await shop.mails.sweep()
    expect(datas()).toHaveLength(0)
    const { safepoint } = shop.pantry
    const resend = (key: string) =>
      safepoint.run(shop.operations.mail.resendMail, { id }, { scope: 'user:admin', key: `${id} ${key}` })
    expect(await resend('once')).toMatchObject({ outcome: 'succeeded', result: { state: 'queued', attempts: 1 } })
    await ends(id, 'sent')
    await expect(resend('twice')).rejects.toMatchObject({ code: 'mail_not_failed', details: { state: 'sent' } })
    expect(smtp.mailbox.inbox()).toMatchObject([{ accepted: 1, messageId: messageIdOf(id, from) }])
    expect(await triesOf(id)).toEqual(['refused', 'accepted'])
  })

  it('for now is asked again, as often as the back-off says; then the mail is failed', async () => {
    smtp.faults.add({
      match: { method: 'DATA' },
      times: 99,
      faults: [{ kind: 'reply', code: 451, text: 'Greylisted' }],
    })
    const id = await queueUntold()
    for (const [round, state] of [
      [2, 'queued'],
      [3, 'queued'],
      [3, 'failed'],
    ] as const) {
      await shop.mails.sweep()
      expect(await rowOf(id)).toMatchObject({ state, round })
    }
    expect((await rowOf(id)).failure).toContain('Greylisted')
    expect(await triesOf(id)).toEqual(['deferred', 'deferred', 'deferred'])
    expect(datas()).toHaveLength(3)
    expect(smtp.mailbox.inbox()).toEqual([])
  })

  it('for now is left alone until the time of the next try', async () => {
    const patient = await world.another({ mailBackOff: [60_000] })
    smtp.faults.add({ match: { method: 'DATA' }, faults: [{ kind: 'reply', code: 421, text: 'Too busy' }] })
    const id = await queueUntold()
    await patient.mails.sweep()
    await shop.mails.sweep()
    expect(datas()).toHaveLength(1)
    const [{ wait }] = (await sql<{ wait: number }>(
      'select extract(epoch from due_at - clock_timestamp())::float8 as wait from pantry.mail where id = $1',
      [id],
    )) as [{ wait: number }]
    expect(wait).toBeGreaterThan(50)
    expect(wait).toBeLessThanOrEqual(60)
    await sql('update pantry.mail set due_at = clock_timestamp() where id = $1', [id])
    await patient.mails.sweep()
    expect(await rowOf(id)).toMatchObject({ state: 'sent', round: 2 })
  })

  it('slowly is waited for, and other mails go past it', async () => {
    const held = smtp.faults.add({ match: { method: 'DATA' }, faults: [{ kind: 'hang', at: 'begun' }] })
    const slow = await queue(shop)
    await held.held()
    const quick = await queue(shop)
    await ends(quick, 'sent')
    expect(await rowOf(slow)).toMatchObject({ state: 'queued' })
    held.release()
    await ends(slow, 'sent')
    expect(smtp.mailbox.inbox()).toHaveLength(2)
  })

  it('to one of many holds up none of the rest, and forty go out once each', async () => {
    const match = { method: 'RCPT' }
    smtp.faults.add({ match, faults: [{ kind: 'reply', code: 550, text: 'Not this one' }] })
    const ids = await Promise.all(Array.from({ length: 40 }, () => queueUntold()))
    const other = await world.another()
    await Promise.all([shop.mails.sweep(), other.mails.sweep(), shop.mails.sweep()])
    await shop.mails.sweep()
    const states = await sql<{ state: string; n: number }>(
      'select state, count(*)::int as n from pantry.mail where id = any ($1::uuid[]) group by state order by state',
      [ids],
    )
    expect(states).toEqual([
      { state: 'failed', n: 1 },
      { state: 'sent', n: 39 },
    ])
    expect(datas()).toHaveLength(39)
    expect(smtp.mailbox.inbox()).toHaveLength(39)
  })
})

it('without a relay a mail stays queued, and goes when there is one', async () => {
  const mute = await world.another({ relay: undefined })
  const id = await queue(mute)
  await mute.mails.sweep()
  expect(await rowOf(id)).toMatchObject({ state: 'queued', round: 1 })
  expect(smtp.calls.list()).toEqual([])
  await shop.mails.sweep()
  expect(await rowOf(id)).toMatchObject({ state: 'sent' })
})

it('a mail that cannot be rendered waits for whoever mends it, and says why', async () => {
  const id = uuidv7()
  await sql(
    `insert into pantry.mail (id, once, account_id, template, data, recipient) values ($1::uuid, $1::uuid::text, $2, 'receipt', $3, 'x@example.com')`,
    [id, customer.accountId, JSON.stringify({ orderId: uuidv7() })],
  )
  await shop.mails.sweep()
  expect(await rowOf(id)).toMatchObject({ state: 'queued', round: 2 })
  expect(await triesOf(id)).toEqual(['deferred'])
  expect(smtp.calls.list()).toEqual([])
})
