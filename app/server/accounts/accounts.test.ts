import { describe, expect, test } from 'vitest'
import { SignJWT } from 'jose'
import { world } from '../test/world.ts'
import { emailKeyOf } from './accounts.ts'
import type { SignedIn } from './accounts.schema.ts'
import { hashPassword, verifyPassword } from './passwords.ts'

const shop = await world()
const second = await shop.another()
const elsewhere = shop.sendTo(second)

const newEmail = () => `${crypto.randomUUID()}@example.com`
const person = (email = newEmail()) => ({ email, password: 'correct horse battery', name: 'Noa' })
const refresh = (refreshToken: string, send = shop.send) =>
  send<SignedIn & { readonly code?: string }>('POST', '/api/auth/refresh', { refreshToken })

/** Moves the exchange of a token into the past, as if time had gone by. */
const age = (refreshToken: string, seconds: number) =>
  shop.sql(`update pantry.refresh_token set used_at = used_at - $2::int * interval '1 second' where id = $1`, [
    refreshToken.split('.')[0],
    seconds,
  ])

describe('registering and logging in', () => {
  test('makes an account that can be used at once, and logged in to', async () => {
    const who = person()
    const made = await shop.send<SignedIn>('POST', '/api/auth/register', who)
    expect(made.status).toBe(201)
    expect(made.body.user).toEqual({
      id: expect.any(String),
      email: who.email,
      name: 'Noa',
      role: 'customer',
      locale: 'en',
      version: 1,
    })
    const me = await shop.sendTo(shop, made.body.accessToken)('GET', '/api/me')
    expect([me.status, me.body, me.headers.etag]).toEqual([200, made.body.user, '"1"'])
    const known = { 'if-none-match': '"1"' }
    expect((await shop.sendTo(shop, made.body.accessToken)('GET', '/api/me', undefined, known)).status).toBe(304)
    const login = await elsewhere<SignedIn>('POST', '/api/auth/login', {
      email: ` ${who.email.toUpperCase()}`,
      password: who.password,
    })
    expect([login.status, login.body.user.id]).toEqual([200, made.body.user.id])
    expect(login.headers['cache-control']).toBe('no-store')
  })

  test('an address is one account, however often and wherever it is registered at once', async () => {
    const who = person()
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, n) => (n % 2 ? elsewhere : shop.send)('POST', '/api/auth/register', who)),
    )
    expect(replies.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(409)])
    expect(replies.filter(({ status }) => status === 409).map(({ body }) => body.code)).toEqual(
      Array(7).fill('email_taken'),
    )
    expect(await shop.sql('select id from pantry.account where email_key = $1', [emailKeyOf(who.email)])).toHaveLength(
      1,
    )
  })

  test('I4: registering again under the same key answers the same account, with live tokens', async () => {
    const who = person()
    const key = { 'idempotency-key': 'register' }
    const first = await shop.send<SignedIn>('POST', '/api/auth/register', who, key)
    const again = await elsewhere<SignedIn>('POST', '/api/auth/register', who, { ...key, 'retry-attempt': '1' })
    expect([again.status, again.body.user, again.headers['idempotent-replayed']]).toEqual([
      201,
      first.body.user,
      'true',
    ])
    expect((await shop.sendTo(shop, again.body.accessToken)('GET', '/api/me')).status).toBe(200)
    const other = await shop.send('POST', '/api/auth/register', { ...who, password: 'another password' }, key)
    expect([other.status, other.body.code]).toEqual([422, 'key_reused'])
    const stranger = await shop.send('POST', '/api/auth/register', person(), key)
    expect(stranger.status).toBe(201)
  })

  test('no table holds a token, a password, or anything quick to guess one from', async () => {
    const who = person()
    const key = { 'idempotency-key': 'secret' }
    const { body } = await shop.send<SignedIn>('POST', '/api/auth/register', who, key)
    await shop.send('POST', '/api/auth/login', who.email ? { email: who.email, password: who.password } : who, key)
    const tables = await shop.sql(
      `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
      where table_schema in ('pantry', 'safepoint') and table_type = 'BASE TABLE'`,
    )
    for (const { name } of tables) {
      const [found] = await shop.sql(
        `select count(*)::int as count from ${name} t
        where t::text like '%' || $1 || '%' or t::text like '%' || $2 || '%' or t::text like '%' || $3 || '%'`,
        [who.password, body.refreshToken.split('.')[1], body.accessToken.split('.')[2]],
      )
      expect([name, found!.count]).toEqual([name, 0])
    }
    const [stored] = await shop.sql('select password_hash from pantry.account where id = $1', [body.user.id])
    expect(stored!.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  })

  test('a wrong password and an unknown address are told alike, store nothing, and leave the key free', async () => {
    const { email } = await shop.newShopper()
    const key = { 'idempotency-key': 'login' }
    const count = () => shop.sql('select count(*)::int as n from safepoint.operation')
    const before = await count()
    const wrong = await shop.send('POST', '/api/auth/login', { email, password: 'not the one' }, key)
    const unknown = await shop.send('POST', '/api/auth/login', { email: newEmail(), password: 'not the one' })
    for (const reply of [wrong, unknown]) expect([reply.status, reply.body.code]).toEqual([401, 'credentials_invalid'])
    expect(wrong.body.detail).toBe(unknown.body.detail)
    expect(await count()).toEqual(before)
    expect((await shop.send('POST', '/api/auth/login', { email, password: 'correct horse battery' }, key)).status).toBe(
      200,
    )
  })

  test('tells what is wrong with the input, in English and Hebrew, and stores nothing', async () => {
    const cases = [
      { ...person(), email: 'nobody' },
      { ...person(), password: 'short' },
      { ...person(), name: '   ' },
      { ...person(), name: 'No\u0000a' },
      { ...person(), role: 'admin' },
      [person()],
      'text',
    ]
    for (const body of cases) {
      const reply = await shop.send('POST', '/api/auth/register', body, {
        'content-type': 'application/json',
        'accept-language': 'he',
      })
      expect([JSON.stringify(body), reply.status >= 400 && reply.status < 500]).toEqual([JSON.stringify(body), true])
      expect(reply.headers['content-type']).toBe('application/problem+json')
    }
    const reply = await shop.send(
      'POST',
      '/api/auth/register',
      { ...person(), role: 'admin', password: 'x' },
      { 'accept-language': 'he' },
    )
    expect([reply.status, reply.body.code, reply.body.title]).toEqual([422, 'input_invalid', 'קלט לא תקין'])
    expect(reply.body.errors.length).toBe(2)
    const login = await shop.send('POST', '/api/auth/login', { email: 'a\u0000b', password: 'x' })
    expect(login.status).toBeLessThan(500)
  })

  test('at most two passwords are hashed at once, and many in a row all end', async () => {
    const hash = await hashPassword('one')
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => verifyPassword(hash, n % 2 ? 'one' : 'two')))
    expect(answers).toEqual(Array.from({ length: 12 }, (_, n) => n % 2 === 1))
  })
})

describe('refresh tokens', () => {
  test('a token is exchanged for the next one; sent twice at once, on two servers, it is one exchange', async () => {
    const { refreshToken } = await shop.newShopper()
    const replies = await Promise.all([refresh(refreshToken), refresh(refreshToken, elsewhere), refresh(refreshToken)])
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(replies.map(({ body }) => body.refreshToken)).size).toBe(1)
    const next = replies[0]!.body.refreshToken
    expect(next).not.toBe(refreshToken)
    expect((await refresh(next)).status).toBe(200)
  })

  test('again within 30 s it is a replay with tokens that work', async () => {
    const { refreshToken } = await shop.newShopper()
    const first = await refresh(refreshToken)
    await age(refreshToken, 25)
    const again = await refresh(refreshToken, elsewhere)
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([200, 'true'])
    expect(again.body.refreshToken).toBe(first.body.refreshToken)
    expect((await shop.sendTo(shop, again.body.accessToken)('GET', '/api/me')).status).toBe(200)
  })

  test('shown later than that, it ends its session on every device that has it, and only that session', async () => {
    const { refreshToken, email, password } = await shop.newShopper()
    const otherDevice = await shop.send<SignedIn>('POST', '/api/auth/login', { email, password })
    const { body: current } = await refresh(refreshToken)
    await age(refreshToken, 31)
    const stolen = await refresh(refreshToken, elsewhere)
    expect([stolen.status, stolen.body.code]).toEqual([401, 'token_reused'])
    const victim = await refresh(current.refreshToken)
    expect([victim.status, victim.body.code]).toEqual([401, 'token_invalid'])
    expect(await shop.sql('select revoked_because from pantry.session where id = $1', [current.sessionId])).toEqual([
      { revoked_because: 'token_reused' },
    ])
    expect((await refresh(otherDevice.body.refreshToken)).status).toBe(200)
  })

  test('a token that was not made here, or belongs to a session that has ended, is refused without a trace', async () => {
    const { refreshToken, send } = await shop.newShopper()
    const [id, mac] = refreshToken.split('.')
    const count = () => shop.sql('select count(*)::int as n from safepoint.operation')
    const before = await count()
    for (const token of ['x', `${id}.${'A'.repeat(43)}`, `${crypto.randomUUID()}.${mac}`, `${id}.${mac}x`, '\u0000']) {
      const reply = await refresh(token)
      expect([token, reply.status, reply.body.code]).toEqual([token, 401, 'token_invalid'])
    }
    expect(await count()).toEqual(before)
    await shop.sql(
      'update pantry.session set expires_at = now() where id = (select session_id from pantry.refresh_token where id = $1)',
      [id],
    )
    expect((await refresh(refreshToken)).body.code).toBe('token_invalid')
    expect((await send('POST', '/api/auth/refresh', { refreshToken: 5 })).body.code).toBe('input_invalid')
  })

  test('logging out ends the session; again is the same; a replayed log-in hands out no tokens after it', async () => {
    const { email, password } = await shop.newShopper()
    const key = { 'idempotency-key': 'in' }
    const { body } = await shop.send<SignedIn>('POST', '/api/auth/login', { email, password }, key)
    for (const send of [shop.send, elsewhere, shop.send]) {
      expect((await send('POST', '/api/auth/logout', { refreshToken: body.refreshToken })).status).toBe(204)
    }
    expect((await refresh(body.refreshToken)).body.code).toBe('token_invalid')
    const replayed = await shop.send('POST', '/api/auth/login', { email, password }, key)
    expect([replayed.status, replayed.body.code]).toEqual([401, 'session_ended'])
  })

  test('who has only the access token at hand logs out with that, and of that session alone', async () => {
    const { email, password } = await shop.newShopper()
    const [left, stays] = await Promise.all(
      [1, 2].map(async () => (await shop.send<SignedIn>('POST', '/api/auth/login', { email, password })).body),
    )
    for (const body of [undefined, {}]) {
      const reply = await shop.sendTo(shop, left!.accessToken)('POST', '/api/auth/logout', body)
      expect([body, reply.status]).toEqual([body, 204])
    }
    expect((await refresh(left!.refreshToken)).body.code).toBe('token_invalid')
    expect((await refresh(stays!.refreshToken)).status).toBe(200)
    expect((await shop.send('POST', '/api/auth/logout')).body.code).toBe('input_invalid')
    const send = shop.sendTo(shop, stays!.accessToken)
    for (const body of [5, [], 'all', { all: true }])
      expect([
        body,
        (await send('POST', '/api/auth/logout', JSON.stringify(body), { 'content-type': 'application/json' })).status,
      ]).toEqual([body, 422])
  })
})

describe('access tokens', () => {
  const claims = { sid: crypto.randomUUID(), role: 'admin' }
  const forge = (change: { alg?: string; typ?: string; aud?: string; iss?: string; key?: string; age?: number }) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: change.alg ?? 'HS256', typ: change.typ ?? 'at+jwt' })
      .setIssuer(change.iss ?? 'pantry')
      .setAudience(change.aud ?? 'pantry-api')
      .setSubject(crypto.randomUUID())
      .setJti('1')
      .setIssuedAt(Math.floor(Date.now() / 1000) - (change.age ?? 0))
      .setExpirationTime('10m')
      .sign(new TextEncoder().encode((change.key ?? 'a secret for tests that is long enough to be one').padEnd(64)))

  test('a token that is forged, of another kind, or cut is refused on every route that needs one', async () => {
    const { accessToken } = await shop.newShopper()
    const [head, body, signature] = accessToken.split('.')
    const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${body}.`
    const tokens = [
      unsigned,
      `${head}.${Buffer.from(JSON.stringify({ ...claims, sub: 'x' })).toString('base64url')}.${signature}`,
      `${head}.${body}`,
      'x',
      await forge({}),
      await forge({ alg: 'HS512' }),
      await forge({ typ: 'JWT' }),
    ]
    for (const token of tokens) {
      const { status, body: problem } = await shop.sendTo(shop, token)('GET', '/api/me')
      expect([token, status, problem.code]).toEqual([token, 401, 'unauthenticated'])
    }
  })

  test('with the right key, issuer, audience, type and age are still required', async () => {
    const { tokens } = shop.composed.pantry
    const good = await tokens.issueAccess({
      accountId: crypto.randomUUID(),
      sessionId: crypto.randomUUID(),
      role: 'customer',
    })
    await expect(tokens.verifyAccess(good)).resolves.toMatchObject({ role: 'customer' })
    await expect(tokens.verifyAccess(tokens.refreshTokenOf(crypto.randomUUID()))).rejects.toMatchObject({
      code: 'unauthenticated',
    })
  })

  test('a broken token does not close open routes', async () => {
    expect((await shop.sendTo(shop, 'broken')('GET', '/api/products')).status).toBe(200)
  })
})

test('a profile is changed at the version that was seen, to change it twice is once, and to undo it brings it back', async () => {
  const { send, user } = await shop.newShopper()
  const rename = (name: string, headers: Record<string, string> = {}) => send('PATCH', '/api/me', { name }, headers)
  const { headers } = await send('GET', '/api/me')
  const seen = { 'if-match': String(headers.etag) }
  const replies = await Promise.all([rename('Noa', seen), rename('Dana', seen)])
  expect(replies.map(({ status }) => status).sort()).toEqual([200, 412])
  const [done] = replies.filter(({ status }) => status === 200)
  expect([done!.body, done!.headers.etag]).toEqual([{ ...user, name: done!.body.name, version: 2 }, '"2"'])
  const again = await rename(done!.body.name, { 'idempotency-key': 'again' })
  expect([again.status, again.body]).toEqual([200, done!.body])
  await rename('Ruth', { 'idempotency-key': 'ruth' })
  expect((await send('POST', '/api/operations/ruth/undo')).body).toMatchObject({ name: done!.body.name, version: 4 })
  await rename('Ruth', { 'idempotency-key': 'ruth-2' })
  await rename('Tal')
  expect((await send('POST', '/api/operations/ruth-2/undo')).body.code).toBe('undo_outdated')
  for (const body of [{ name: ' ' }, { name: 'a\u0000b' }, { role: 'admin' }, { name: 'x', email: 'x@example.com' }])
    expect([body, (await send('PATCH', '/api/me', body)).status]).toEqual([body, 422])
  expect((await send('GET', '/api/me')).body).toMatchObject({ name: 'Tal', role: 'customer' })
})
