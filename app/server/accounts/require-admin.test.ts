import { expect, test } from 'vitest'
import { world } from '../test/world.ts'

const shop = await world()
const path = '/api/admin/products'

test("the administration's routes are 401 without a token and 403 for anybody else, in both languages", async () => {
  const shopper = await shop.newShopper()
  const nobody = await shop.send('GET', path)
  expect([nobody.status, nobody.body.code]).toEqual([401, 'unauthenticated'])
  const english = await shopper.send('GET', path)
  expect([english.status, english.body.code, english.body.title]).toEqual([403, 'forbidden', 'Not allowed'])
  const hebrew = await shopper.send('GET', path, undefined, { 'accept-language': 'he' })
  expect([hebrew.status, hebrew.body.title]).toEqual([403, 'אין הרשאה'])
  expect((await (await shop.newAdmin()).send('GET', path)).status).toBe(200)
})

test('every route of the administration that there is, is closed to customers', async () => {
  const shopper = await shop.newShopper()
  const { body } = await shop.send('GET', '/openapi.json')
  const routes = Object.entries<object>(body.paths).filter(([route]) => route.startsWith('/api/admin/'))
  expect(routes.length).toBeGreaterThanOrEqual(5)
  for (const [route, methods] of routes) {
    for (const method of Object.keys(methods)) {
      const url = route.replaceAll(/\{\w+\}/g, crypto.randomUUID())
      const headers = { 'idempotency-key': crypto.randomUUID() }
      const mutates = method !== 'get'
      const reply = await shopper.send(method.toUpperCase(), url, mutates ? {} : undefined, headers)
      expect([method, route, reply.status, reply.body.code]).toEqual([method, route, 403, 'forbidden'])
    }
  }
})

test('an administrator who is demoted, logged out or closed is refused at once, though the token lives on', async () => {
  const demoted = await shop.newAdmin()
  await shop.sql(`update pantry.account set role = 'customer' where id = $1`, [demoted.user.id])
  expect((await demoted.send('GET', path)).status).toBe(403)

  const left = await shop.newAdmin()
  await shop.send('POST', '/api/auth/logout', { refreshToken: left.refreshToken })
  expect((await left.send('GET', path)).status).toBe(401)

  const closed = await shop.newAdmin()
  await shop.sql(`update pantry.account set closed_at = now() where id = $1`, [closed.user.id])
  expect((await closed.send('GET', path)).status).toBe(401)
})

test('a customer who was made an administrator logs in again for it: the token says what it said', async () => {
  const shopper = await shop.newShopper()
  await shop.sql(`update pantry.account set role = 'admin' where id = $1`, [shopper.user.id])
  expect((await shopper.send('GET', path)).status).toBe(403)
  const { body } = await shop.send('POST', '/api/auth/refresh', { refreshToken: shopper.refreshToken })
  expect((await shop.sendTo(shop, body.accessToken)('GET', path)).status).toBe(200)
})
