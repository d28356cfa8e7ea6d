import net from 'node:net'
import { once } from 'node:events'
import { uuidv7 } from 'safepoint'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { startSmtpSimulator } from '../../simulators/smtp/start-smtp-simulator.ts'
import { createSmtpRelay, messageIdOf, type OutgoingMail } from './smtp-relay.ts'

const credentials = { user: 'pan@try', pass: 'a p:ss/word' }
const smtp = await startSmtpSimulator({ credentials })
const from = 'Pantry <shop@pantry.example>'
const relay = createSmtpRelay({ url: smtp.smtpUrl, from })
const never = new AbortController().signal
afterAll(() => smtp.close())
beforeEach(() => {
  smtp.faults.clear()
  smtp.calls.clear()
  smtp.mailbox.clear()
})

const newMail = (): OutgoingMail => ({
  id: uuidv7(),
  to: 'noa@example.com',
  createdAt: new Date('2026-03-01T10:00:00Z'),
  subject: 'קבלה עבור הזמנה',
  text: 'שלום\n.\nסוף',
  html: '<p dir="rtl">שלום</p>',
})
const datas = () => smtp.calls.list().filter(({ method }) => method === 'DATA')

describe('handing a mail to a relay', () => {
  it('brings it there as it was written, in Hebrew, under a Message-ID made of its id', async () => {
    const mail = newMail()
    expect(await relay.hand(mail, never)).toEqual({ outcome: 'accepted', reply: expect.stringContaining('queued') })
    expect(smtp.mailbox.inbox('noa@example.com')).toMatchObject([
      {
        messageId: messageIdOf(mail.id, from),
        from: 'shop@pantry.example',
        subject: mail.subject,
        html: expect.stringContaining(mail.html),
      },
    ])
    const [received] = smtp.mailbox.inbox()
    expect(received!.text.trim().replaceAll('\r\n', '\n')).toBe(mail.text)
    expect(received!.headers['auto-submitted']).toBe('auto-generated')
  })

  it('sends the same bytes each time, and a relay that looks at the Message-ID keeps one', async () => {
    const mail = newMail()
    await relay.hand(mail, never)
    await relay.hand(mail, never)
    expect(datas().map(({ key, replayed }) => [key, replayed])).toEqual([
      [messageIdOf(mail.id, from), false],
      [messageIdOf(mail.id, from), true],
    ])
    expect(smtp.mailbox.inbox()).toMatchObject([{ accepted: 2, headers: { date: 'Sun, 01 Mar 2026 10:00:00 +0000' } }])
  })

  it.each([
    ['RCPT', 550, 'refused'],
    ['DATA', 554, 'refused'],
    ['RCPT', 450, 'deferred'],
    ['DATA', 451, 'deferred'],
  ] as const)('%s answered by %i is %s, in the words of the relay', async (method, code, outcome) => {
    smtp.faults.add({ match: { method }, faults: [{ kind: 'reply', code, text: 'No such person' }] })
    expect(await relay.hand(newMail(), never)).toEqual({ outcome, reply: expect.stringContaining('No such person') })
    expect(smtp.mailbox.inbox()).toEqual([])
  })

  it('does not know what became of a text whose answer is lost, and says so', async () => {
    smtp.faults.add({ match: { method: 'DATA' }, faults: [{ kind: 'drop', at: 'executed' }] })
    await expect(relay.hand(newMail(), never)).rejects.toMatchObject({ code: 'mail_unanswered', effect: 'unknown' })
    expect(smtp.mailbox.inbox()).toHaveLength(1)
  })

  it('puts off a mail whose relay is away, hangs up before the text, or does not know our password', async () => {
    const front = net.createServer((socket) => socket.end())
    front.listen(0, '127.0.0.1')
    await once(front, 'listening')
    const { port } = front.address() as net.AddressInfo
    const hangsUp = createSmtpRelay({ url: `smtp://127.0.0.1:${port}`, from })
    expect(await hangsUp.hand(newMail(), never)).toMatchObject({ outcome: 'deferred' })
    await new Promise((closed) => front.close(closed))
    expect(await hangsUp.hand(newMail(), never)).toEqual({
      outcome: 'deferred',
      reply: expect.stringContaining('ECONNREFUSED'),
    })
    const wrong = createSmtpRelay({ url: smtp.smtpUrl.replace('word', 'ward'), from })
    expect(await wrong.hand(newMail(), never)).toEqual({ outcome: 'deferred', reply: expect.stringContaining('535') })
    expect(datas()).toEqual([])
  })

  it('ends at once when it is told to stop, and leaves no connection', async () => {
    const held = smtp.faults.add({ match: { method: 'DATA' }, faults: [{ kind: 'hang', at: 'begun' }] })
    const stop = new AbortController()
    const handing = relay.hand(newMail(), stop.signal)
    await held.held()
    stop.abort(new Error('stopped'))
    await expect(handing).rejects.toThrow('stopped')
    held.release()
  })

  it('refuses an address that cannot be said in SMTP', async () => {
    expect(await relay.hand({ ...newMail(), to: 'noa@example.com\r\nRCPT TO:<x@y.z' }, never)).toMatchObject({
      outcome: 'refused',
    })
    expect(smtp.mailbox.inbox()).toEqual([])
  })
})

describe('the simulated mailbox', () => {
  it('is read in a browser, with every word of a mail escaped, and as data', async () => {
    const mail = { ...newMail(), subject: '<script>alert(1)</script>' }
    await relay.hand(mail, never)
    const page = await (await fetch(smtp.url)).text()
    expect(page).toContain('&#60;script&#62;')
    expect(page).not.toContain('<script>')
    const [, path] = /href="(\/messages\/\d+)"/.exec(page)!
    expect(await (await fetch(`${smtp.url}${path}`)).text()).toContain(`${mail.id}@pantry.example`)
    const html = await fetch(`${smtp.url}${path}/html`)
    expect(html.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(await html.text()).toContain('<p dir="rtl">שלום</p>')
    const { messages } = (await (await fetch(`${smtp.url}/messages.json?to=NOA@example.com`)).json()) as any
    expect(messages).toMatchObject([{ subject: mail.subject, to: ['noa@example.com'] }])
    expect(((await (await fetch(`${smtp.url}/messages.json?to=x@example.com`)).json()) as any).messages).toEqual([])
    const { calls } = (await (await fetch(`${smtp.url}/_control/calls`)).json()) as any
    expect(calls.map((call: any) => [call.method, call.status])).toEqual([
      ['RCPT', 250],
      ['DATA', 250],
    ])
    await fetch(`${smtp.url}/_control/reset`, { method: 'POST' })
    expect(await (await fetch(smtp.url)).text()).toContain('Nothing has been sent yet')
  })
})
