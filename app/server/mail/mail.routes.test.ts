import { uuidv7 } from 'safepoint'
import { afterAll, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { startSmtpSimulator } from '../../simulators/smtp/start-smtp-simulator.ts'
import { world } from '../test/world.ts'
import type { MailWithText } from './mail.schema.ts'
import { createSmtpRelay } from './smtp-relay.ts'

const smtp = await startSmtpSimulator()
const shop = await world()
const sender = await shop.another({ relay: createSmtpRelay({ url: smtp.smtpUrl, from: 'shop@pantry.example' }) })
afterAll(async () => {
  await sender.composed.mails.stop()
  await smtp.close()
})

/** Logged in, and of the role from then on. */
async function newAdmin() {
  const { email, password, user } = await shop.newShopper()
  await shop.sql(`update pantry.account set role = 'admin' where id = $1`, [user.id])
  const login = await shop.send('POST', '/api/auth/login', { email, password })
  return shop.sendTo(sender, login.body.accessToken)
}

const admin = await newAdmin()
const customer = await shop.newShopper()

/** Of a password that was forgotten, which needs no order. */
async function newMail(to = customer.email): Promise<string> {
  const [account] = await shop.sql<{ id: string }>('select id from pantry.account where email = $1', [to])
  const id = uuidv7()
  await shop.sql(
    `insert into pantry.mail (id, once, account_id, template, data, locale, recipient)
     values ($1::uuid, $1::uuid::text, $2, 'password_reset', $3, 'he', $4)`,
    [id, account!.id, JSON.stringify({ resetId: uuidv7() }), to],
  )
  return id
}

describe('the outbox of the administration', () => {
  it('is for administrators: 401 for nobody, 403 for a customer', async () => {
    const id = await newMail()
    const routes = [
      ['GET', '/api/admin/mails'],
      ['GET', `/api/admin/mails/${id}`],
      ['POST', `/api/admin/mails/${id}/resend`],
    ] as const
    for (const [method, url] of routes) {
      expect((await shop.send(method, url)).body).toMatchObject({ status: 401, code: 'unauthenticated' })
      expect((await customer.send(method, url)).body).toMatchObject({ status: 403, code: 'forbidden' })
    }
    expect(await shop.sql(`select from safepoint.operation where name = 'mail.resend'`)).toEqual([])
  })

  it('lists mails, the latest first, by state and by a part of the address, a page at a time', async () => {
    const other = await shop.newShopper()
    const ids = [await newMail(other.email), await newMail(other.email), await newMail(other.email)].toReversed()
    await shop.sql(`update pantry.mail set state = 'failed', failure = 'No such person' where id = $1`, [ids[1]])
    const part = encodeURIComponent(other.email.slice(0, 36).toUpperCase())
    const list = async (query: string) => {
      const { status, body } = await admin('GET', `/api/admin/mails?email=${part}${query}`)
      expect(status).toBe(200)
      return body as { items: { id: string; state: string }[]; nextCursor: string | null }
    }
    const first = await list('&limit=2')
    expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2))
    const rest = await list(`&limit=2&cursor=${first.nextCursor}`)
    expect([rest.items.map(({ id }) => id), rest.nextCursor]).toEqual([ids.slice(2), null])
    expect((await list('&state=failed')).items).toEqual([
      {
        id: ids[1],
        accountId: other.user.id,
        to: other.email,
        template: 'password_reset',
        locale: 'he',
        state: 'failed',
        failure: 'No such person',
        createdAt: expect.any(String),
      },
    ])
    expect((await list('&state=queued')).items).toMatchObject([{ dueAt: expect.any(String) }, {}])
    expect((await admin('GET', '/api/admin/mails?state=lost')).body).toMatchObject({ code: 'input_invalid' })
    expect((await admin('GET', '/api/admin/mails?cursor=x')).body).toMatchObject({ code: 'input_invalid' })
  })

  it('shows the words of a mail and its tries, sends a failed one again, and no other', async () => {
    const { email } = await shop.newShopper()
    const match = { method: 'RCPT', params: { to: email } }
    smtp.faults.add({ match, faults: [{ kind: 'reply', code: 550, text: 'No such person' }] })
    const id = await newMail(email)
    await sender.composed.mails.sweep()
    const read = async () => (await admin<MailWithText>('GET', `/api/admin/mails/${id}`)).body
    expect(await read()).toMatchObject({
      state: 'failed',
      failure: expect.stringContaining('No such person'),
      attempts: 1,
      tries: [{ round: 1, outcome: 'refused', reply: expect.stringContaining('550') }],
      rendered: {
        subject: 'בחירת סיסמה חדשה',
        text: expect.stringContaining('60'),
        html: expect.stringContaining('dir="rtl"'),
      },
    })
    const resend = () => admin('POST', `/api/admin/mails/${id}/resend`)
    expect(await resend()).toMatchObject({ status: 200, body: { id, state: 'queued', attempts: 1 } })
    await until(async () => (await read()).state === 'sent', { message: 'the mail is never sent' })
    expect(await read()).toMatchObject({ attempts: 2, sentAt: expect.any(String) })
    const refused = await resend()
    expect(refused.body).toMatchObject({ status: 409, code: 'mail_not_failed', retryable: false })
    expect(refused.body.detail).toContain('sent')
  })

  it('tells nobody a link that changes a password', async () => {
    const id = await newMail()
    const [{ reset }] = (await shop.sql<{ reset: string }>(
      `select data ->> 'resetId' as reset from pantry.mail where id = $1`,
      [id],
    )) as [{ reset: string }]
    const { text } = await admin('GET', `/api/admin/mails/${id}`)
    expect(text).toContain('#reset=(hidden)')
    expect(text).not.toContain(sender.composed.pantry.tokens.resetTokenOf(reset))
    expect(text).not.toContain(reset)
  })

  it('knows no mail that is not there', async () => {
    for (const id of [uuidv7(), 'x', '%00']) {
      expect((await admin('GET', `/api/admin/mails/${id}`)).body).toMatchObject({ status: 404, code: 'mail_not_found' })
      expect((await admin('POST', `/api/admin/mails/${id}/resend`)).body).toMatchObject({ code: 'mail_not_found' })
    }
  })
})
