import { afterAll, describe, expect, test } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { startSmtpSimulator } from '../../simulators/smtp/start-smtp-simulator.ts'
import { createSmtpRelay } from '../mail/smtp-relay.ts'
import { world, type Shopper } from '../test/world.ts'

const smtp = await startSmtpSimulator()
const shop = await world()
const mailing = await shop.another({ relay: createSmtpRelay({ url: smtp.smtpUrl, from: 'shop@pantry.example' }) })
const send = shop.sendTo(mailing)
afterAll(async () => {
  await mailing.composed.mails.stop()
  await smtp.close()
})

const forgot = (email: string, headers = {}) => send('POST', '/api/auth/password/forgot', { email }, headers)
const reset = (token: string, password: string, headers = {}) =>
  send('POST', '/api/auth/password/reset', { token, password }, headers)
const login = async (email: string, password: string) =>
  (await send('POST', '/api/auth/login', { email, password })).status
const refresh = async (refreshToken: string) => (await send('POST', '/api/auth/refresh', { refreshToken })).status

/** As its owner finds it in the mailbox. */
async function tokenFor({ email }: Shopper): Promise<string> {
  expect((await forgot(email)).status).toBe(202)
  const [mail] = await until(() => smtp.mailbox.inbox(email).length > 0 && smtp.mailbox.inbox(email), {
    message: `no mail came to ${email}`,
  })
  return /#reset=(\S+)/.exec(mail!.text)![1]!
}

describe('a forgotten password', () => {
  test('is replaced by the link of a mail, once, and every session ends', async () => {
    const who = await shop.newShopper()
    const token = await tokenFor(who)
    expect(await refresh(who.refreshToken)).toBe(200)
    const done = await reset(token, 'another long password')
    expect([done.status, done.text]).toEqual([204, ''])
    expect(await login(who.email, who.password)).toBe(401)
    expect(await refresh(who.refreshToken)).toBe(401)
    expect(await login(who.email, 'another long password')).toBe(200)
    expect((await reset(token, 'a third long password')).body).toMatchObject({ status: 422, code: 'reset_invalid' })
    expect(
      await shop.sql(
        'select distinct revoked_because from pantry.session where account_id = $1 and revoked_at is not null',
        [who.user.id],
      ),
    ).toEqual([{ revoked_because: 'password_changed' }])
  })

  test('is replaced once by two at once, and a retry under the same key is told the same', async () => {
    const who = await shop.newShopper()
    const token = await tokenFor(who)
    const replies = await Promise.all(['first one wins', 'second one wins'].map((password) => reset(token, password)))
    expect(replies.map(({ status }) => status).toSorted()).toEqual([204, 422])
    const winner = replies[0]!.status === 204 ? 'first one wins' : 'second one wins'
    expect(await login(who.email, winner)).toBe(200)

    const other = await shop.newShopper()
    const otherToken = await tokenFor(other)
    const key = { 'idempotency-key': 'reset once' }
    expect((await reset(otherToken, 'the new password', key)).status).toBe(204)
    const again = await reset(otherToken, 'the new password', key)
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([204, 'true'])
    expect((await reset(otherToken, 'not that password', key)).body).toMatchObject({ code: 'key_reused' })
  })

  test('of an address that nobody has gets the same answer, and no mail', async () => {
    const who = await shop.newShopper()
    const [known, unknown] = [await forgot(who.email), await forgot('nobody@example.com')]
    const told = ({ status, text, headers }: typeof known) => [status, text, Object.keys(headers).toSorted()]
    expect(told(unknown)).toEqual(told(known))
    await mailing.composed.mails.sweep()
    expect(smtp.mailbox.inbox('nobody@example.com')).toEqual([])
  })

  test('asked for ten times in a minute is one mail, whatever the case of the address', async () => {
    const who = await shop.newShopper()
    for (let n = 0; n < 10; n++) expect((await forgot(n % 2 ? who.email.toUpperCase() : who.email)).status).toBe(202)
    await mailing.composed.mails.sweep()
    expect(smtp.mailbox.inbox(who.email)).toHaveLength(1)
  })

  test('asked for ten times at once is one link', async () => {
    const who = await shop.newShopper()
    const ask = (n: number) => (n % 2 ? send : shop.send)('POST', '/api/auth/password/forgot', { email: who.email })
    const replies = await Promise.all(Array.from({ length: 10 }, (_, n) => ask(n)))
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202]))
    const links = await shop.sql('select from pantry.password_reset where account_id = $1', [who.user.id])
    const mails = await shop.sql('select from pantry.mail where account_id = $1', [who.user.id])
    expect([links.length, mails.length]).toEqual([1, 1])
  })

  test('is not replaced by a link that is too old, foreign, or of an earlier password', async () => {
    const who = await shop.newShopper()
    const token = await tokenFor(who)
    await shop.sql(`update pantry.password_reset set expires_at = clock_timestamp() where account_id = $1`, [
      who.user.id,
    ])
    expect((await reset(token, 'another long password')).body).toMatchObject({ code: 'reset_invalid' })
    await shop.sql(
      `update pantry.password_reset set expires_at = clock_timestamp() + interval '1 hour' where account_id = $1`,
      [who.user.id],
    )
    const forged = token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
    for (const wrong of [forged, who.refreshToken, 'x'])
      expect((await reset(wrong, 'another long password')).body).toMatchObject({ status: 422, code: 'reset_invalid' })
    const change = await who.send('POST', '/api/me/password', {
      currentPassword: who.password,
      newPassword: 'another long password',
    })
    expect(change.status).toBe(204)
    expect((await reset(token, 'a third long password')).body).toMatchObject({ code: 'reset_invalid' })
    expect(await login(who.email, 'another long password')).toBe(200)
  })

  test('leaves its token in no table', async () => {
    const who = await shop.newShopper()
    const token = await tokenFor(who)
    const [, secret] = token.split('.')
    const rows = await shop.sql(
      `select t::text from pantry.mail t union all select t::text from pantry.password_reset t union all select t::text from safepoint.step t
       union all select t::text from safepoint.operation t union all select t::text from safepoint.evidence t`,
    )
    expect(rows.length).toBeGreaterThan(3)
    expect(JSON.stringify(rows)).not.toContain(secret)
  })

  test('is not accepted where it is too short, and the link stays good', async () => {
    const who = await shop.newShopper()
    const token = await tokenFor(who)
    expect((await reset(token, 'short')).body).toMatchObject({ status: 422, code: 'input_invalid' })
    expect((await reset(token, 'long enough now')).status).toBe(204)
  })
})

describe('changing a password', () => {
  test('needs the current one, ends the other sessions and keeps this one', async () => {
    const who = await shop.newShopper()
    const elsewhere = (await send('POST', '/api/auth/login', { email: who.email, password: who.password })).body
    const change = (currentPassword: string, newPassword: string, headers = {}) =>
      who.send('POST', '/api/me/password', { currentPassword, newPassword }, headers)
    expect((await change('not that one', 'another long password')).body).toMatchObject({
      status: 422,
      code: 'password_wrong',
    })
    const key = { 'idempotency-key': 'change' }
    expect((await change(who.password, 'another long password', key)).status).toBe(204)
    const again = await change(who.password, 'another long password', key)
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([204, 'true'])
    expect(await login(who.email, who.password)).toBe(401)
    expect(await login(who.email, 'another long password')).toBe(200)
    expect(await refresh(elsewhere.refreshToken)).toBe(401)
    expect(await refresh(who.refreshToken)).toBe(200)
    expect((await shop.send('POST', '/api/me/password', {})).status).toBe(401)
  })

  test('by two at once is done once', async () => {
    const who = await shop.newShopper()
    const replies = await Promise.all(
      ['the first new one', 'the second new one'].map((newPassword) =>
        who.send('POST', '/api/me/password', { currentPassword: who.password, newPassword }),
      ),
    )
    expect(replies.map(({ status }) => status).toSorted()).toEqual([204, 422])
  })
})

test('the language of an account is that of the browser it was made in, can be changed and put back', async () => {
  const register = (language: string, email: string) =>
    send(
      'POST',
      '/api/auth/register',
      { email, password: 'correct horse battery', name: 'Noa' },
      { 'accept-language': language },
    )
  const { body } = await register('he-IL,he;q=0.9,en;q=0.5', 'noa-he@example.com')
  expect(body.user).toMatchObject({ locale: 'he' })
  expect((await register('de', 'noa-de@example.com')).body.user).toMatchObject({ locale: 'en' })
  const noa = shop.sendTo(mailing, body.accessToken)
  const key = { 'idempotency-key': 'speak' }
  expect((await noa('PATCH', '/api/me', { locale: 'en' }, key)).body).toMatchObject({
    name: 'Noa',
    locale: 'en',
    version: 2,
  })
  expect((await noa('POST', '/api/operations/speak/undo')).body).toMatchObject({ locale: 'he', version: 3 })
  expect((await noa('PATCH', '/api/me', { name: 'Dana' })).body).toMatchObject({ name: 'Dana', locale: 'he' })
  for (const wrong of [{ locale: 'xx' }, {}])
    expect((await noa('PATCH', '/api/me', wrong)).body).toMatchObject({ status: 422 })
})
