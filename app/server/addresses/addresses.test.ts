import { expect, test } from 'vitest'
import { world } from '../test/world.ts'
import { addressLimit, type Address } from './addresses.ts'

const shop = await world()
const second = await shop.another()

const home = {
  name: 'Noa Levi',
  line1: '12 Herzl St',
  line2: 'Flat 4',
  city: 'Haifa',
  postalCode: '3303142',
  country: 'IL',
  phone: '+972 4 123 4567',
}
const stored = (accountId: string) =>
  shop.sql(
    'select id, name, line1, line2, city, region, postal_code, country, phone from pantry.address where account_id = $1 and deleted_at is null order by id',
    [accountId],
  )

test('a new address is 201, an equal one 200 with the one that is there, also ten at once on two servers', async () => {
  const { send, accessToken, user } = await shop.newShopper()
  const elsewhere = shop.sendTo(second, accessToken)
  const replies = await Promise.all(
    Array.from({ length: 10 }, (_, n) => (n % 2 ? elsewhere : send)<Address>('POST', '/api/addresses', home)),
  )
  expect(replies.map(({ status }) => status).sort()).toEqual([...Array(9).fill(200), 201])
  expect(new Set(replies.map(({ body }) => body.id)).size).toBe(1)
  const made = replies.find(({ status }) => status === 201)!
  expect(made.headers.location).toBe(`/api/addresses/${made.body.id}`)
  expect(made.body).toEqual({ id: expect.any(String), ...home, version: 1 })
  expect(await stored(user.id)).toHaveLength(1)
  expect((await send('GET', '/api/addresses')).body).toEqual({ items: [made.body], nextCursor: null })
  expect((await send('POST', '/api/addresses', { ...home, line2: undefined })).status).toBe(201)
})

test('an address is changed in parts; If-Match guards it; an equal one is refused', async () => {
  const { send } = await shop.newShopper()
  const { body: one } = await send<Address>('POST', '/api/addresses', home)
  const { body: other } = await send<Address>('POST', '/api/addresses', { ...home, city: 'Acre' })
  const changed = await send<Address>(
    'PATCH',
    `/api/addresses/${one.id}`,
    { line2: null, name: 'N. Levi' },
    { 'if-match': '"1"' },
  )
  const { line2: _, ...rest } = { ...home, name: 'N. Levi' }
  expect([changed.status, changed.body, changed.headers.etag]).toEqual([
    200,
    { id: one.id, ...rest, version: 2 },
    '"2"',
  ])
  const stale = await send('PATCH', `/api/addresses/${one.id}`, { city: 'Jaffa' }, { 'if-match': '"1"' })
  expect([stale.status, stale.body.currentVersion]).toEqual([412, 2])
  const equal = await send('PATCH', `/api/addresses/${other.id}`, { line2: null, name: 'N. Levi', city: 'Haifa' })
  expect([equal.status, equal.body.code]).toEqual([409, 'address_exists'])
})

test('parallel changes of different fields are all kept', async () => {
  const { send, accessToken } = await shop.newShopper()
  const elsewhere = shop.sendTo(second, accessToken)
  const { body } = await send<Address>('POST', '/api/addresses', home)
  const changes = [{ name: 'A' }, { line1: 'B' }, { city: 'C' }, { postalCode: 'D' }, { region: 'E' }]
  const replies = await Promise.all(
    changes.map((change, n) => (n % 2 ? elsewhere : send)('PATCH', `/api/addresses/${body.id}`, change)),
  )
  expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  const [now] = (await send('GET', '/api/addresses')).body.items
  expect(now).toEqual({ ...body, ...Object.assign({}, ...changes), version: 6 })
})

test("deleting twice is once; another's address is not found and stays", async () => {
  const [one, other] = [await shop.newShopper(), await shop.newShopper()]
  const { body } = await one.send<Address>('POST', '/api/addresses', home)
  for (const [method, change] of [
    ['PATCH', { city: 'X' }],
    ['DELETE', undefined],
  ] as const) {
    const reply = await other.send(method, `/api/addresses/${body.id}`, change)
    expect([reply.status, reply.body.code]).toEqual([404, 'address_not_found'])
  }
  expect(await stored(one.user.id)).toHaveLength(1)
  const replies = [
    await one.send('DELETE', `/api/addresses/${body.id}`),
    await one.send('DELETE', `/api/addresses/${body.id}`),
  ]
  expect(replies.map(({ status, body: gone }) => [status, gone])).toEqual(
    Array(2).fill([200, { id: body.id, deleted: true }]),
  )
  expect(await stored(one.user.id)).toEqual([])
  expect((await one.send('PATCH', `/api/addresses/${body.id}`, { city: 'X' })).status).toBe(404)
  for (const id of ['x', '%00', '00000000-0000-0000-0000-000000000000']) {
    expect((await one.send('DELETE', `/api/addresses/${id}`)).status).toBe(404)
  }
})

test('undoing an add, a change and a deletion leaves the rows as they were; twice is once', async () => {
  const { send, user } = await shop.newShopper()
  const { body } = await send<Address>('POST', '/api/addresses', home)
  const path = `/api/addresses/${body.id}`
  const before = await stored(user.id)
  const writes = [
    ['POST', '/api/addresses', { ...home, city: 'Eilat' }],
    ['PATCH', path, { city: 'Nahariya', line2: null }],
    ['DELETE', path, undefined],
  ] as const
  for (const [method, url, change] of writes) {
    const key = `${method} write`
    expect((await send(method, url, change, { 'idempotency-key': key })).status).toBeLessThan(300)
    expect(await stored(user.id)).not.toEqual(before)
    const undo = `/api/operations/${encodeURIComponent(key)}/undo`
    expect((await send('POST', undo)).status).toBe(200)
    expect((await send('POST', undo)).status).toBe(200)
    expect(await stored(user.id)).toEqual(before)
  }
})

test('undoing an add that met an equal address deletes nothing, and an outdated undo is refused', async () => {
  const { send, user } = await shop.newShopper()
  const { body } = await send<Address>('POST', '/api/addresses', home, { 'idempotency-key': 'made' })
  await send('POST', '/api/addresses', home, { 'idempotency-key': 'met' })
  expect((await send('POST', '/api/operations/met/undo')).body).toEqual({ id: body.id, deleted: false })
  expect(await stored(user.id)).toHaveLength(1)
  await send('PATCH', `/api/addresses/${body.id}`, { city: 'Lod' })
  expect((await send('POST', '/api/operations/made/undo')).body.code).toBe('undo_outdated')
  await send('DELETE', `/api/addresses/${body.id}`, undefined, { 'idempotency-key': 'gone' })
  await send('POST', '/api/addresses', { ...home, city: 'Lod' })
  expect((await send('POST', '/api/operations/gone/undo')).body.code).toBe('undo_outdated')
})

test('an account keeps no more than its limit', async () => {
  const { send, user } = await shop.newShopper()
  await shop.sql(
    `insert into pantry.address (id, account_id, name, line1, city, postal_code, country)
    select gen_random_uuid(), $1, 'A', n::text, 'Pune', '411001', 'IN' from generate_series(1, $2::int) n`,
    [user.id, addressLimit],
  )
  const refused = await send('POST', '/api/addresses', home)
  expect([refused.status, refused.body.code]).toEqual([422, 'address_limit'])
  expect(await stored(user.id)).toHaveLength(addressLimit)
})

test('refuses what is no address', async () => {
  const { send, user } = await shop.newShopper()
  for (const wrong of [
    { country: 'Israel' },
    { name: '' },
    { name: 'a\u0000b' },
    { phone: 'call me' },
    { city: 7 },
    { id: 'x' },
    { line1: '\ud800' },
  ]) {
    const reply = await send('POST', '/api/addresses', { ...home, ...wrong })
    expect([wrong, reply.status, reply.body.code]).toEqual([wrong, 422, 'input_invalid'])
  }
  expect(await stored(user.id)).toEqual([])
})

test('a country is a code that ISO 3166 has assigned', async () => {
  const { send } = await shop.newShopper()
  for (const country of ['XX', 'ZZ', 'EU', 'il', 'ISR', '', 376]) {
    const reply = await send('POST', '/api/addresses', { ...home, country })
    expect([country, reply.status, reply.body.errors?.[0].path]).toEqual([country, 422, 'country'])
  }
})

test('the list comes whole, or in pages where less is asked for; a cursor outlives what it names', async () => {
  const { send } = await shop.newShopper()
  for (const city of ['Haifa', 'Acre', 'Jaffa', 'Eilat']) await send('POST', '/api/addresses', { ...home, city })
  const list = async (query: string) => (await send('GET', `/api/addresses?${query}`)).body
  const { items: all } = await list('')
  expect(all).toHaveLength(4)
  const first = await list('limit=3')
  expect(first.items).toEqual(all.slice(0, 3))
  expect(await list(`limit=3&cursor=${first.nextCursor}`)).toEqual({ items: all.slice(3), nextCursor: null })
  await send('DELETE', `/api/addresses/${all[2].id}`)
  expect(await list(`cursor=${first.nextCursor}`)).toEqual({ items: all.slice(3), nextCursor: null })
  for (const query of ['limit=0', 'limit=-1', 'limit=1000000000', 'limit=x', 'cursor=x', 'page=2'])
    expect([query, (await list(query)).code]).toEqual([query, 'input_invalid'])
  const cursorOf = (...place: unknown[]) => Buffer.from(JSON.stringify(place)).toString('base64url')
  for (const place of [['1'], ['1', 'x'], ['-1', all[2].id], ['x', all[2].id], [1, all[2].id]])
    expect([place, (await list(`cursor=${cursorOf(...place)}`)).code]).toEqual([place, 'input_invalid'])
})
