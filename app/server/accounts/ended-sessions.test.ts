import { describe, expect, test } from 'vitest'
import { listen, openEvents, world, type Shopper } from '../test/world.ts'
import { rememberEndedSessions } from './ended-sessions.ts'

const shop = await world()
const second = await shop.another()
const url = await listen(second.app)
const { database } = second.composed.pantry

const status = async (who: Shopper, path = '/api/cart') =>
  (await shop.sendTo(second, who.accessToken)('GET', path)).status

/** Everything that ends sessions, and whether this one's is among them. */
const endings: Record<string, (who: Shopper) => Promise<unknown>> = {
  'logging out': ({ refreshToken }) => shop.send('POST', '/api/auth/logout', { refreshToken }),
  'a new password from another device': async ({ email, password }) => {
    const { body } = await shop.send('POST', '/api/auth/login', { email, password })
    const change = { currentPassword: password, newPassword: 'another long password' }
    return shop.sendTo(shop, body.accessToken)('POST', '/api/me/password', change)
  },
  'a new password by a link': async ({ email, user }) => {
    await shop.send('POST', '/api/auth/password/forgot', { email })
    const [link] = await shop.sql('select id from pantry.password_reset where account_id = $1', [user.id])
    const token = shop.composed.pantry.tokens.resetTokenOf(link!.id)
    return shop.send('POST', '/api/auth/password/reset', { token, password: 'another long password' })
  },
  'a refresh token that is shown too late': async ({ refreshToken }) => {
    await shop.send('POST', '/api/auth/refresh', { refreshToken })
    await shop.sql(`update pantry.refresh_token set used_at = used_at - interval '31 seconds' where id = $1`, [
      refreshToken.split('.')[0],
    ])
    return shop.send('POST', '/api/auth/refresh', { refreshToken })
  },
  'closing the account': ({ send }) => send('DELETE', '/api/me'),
}

describe('a session that ends before its access token', () => {
  test.each(Object.entries(endings))('by %s: the token and its stream end on every server', async (_, end) => {
    const [who, bystander] = [await shop.newShopper(), await shop.newShopper()]
    const events = await openEvents(`${url}/api/cart/events`, who.accessToken)
    await events.next()
    expect(await status(who)).toBe(200)
    await end(who)
    expect((await who.send('GET', '/api/cart')).status).toBe(401)
    await expect.poll(() => status(who)).toBe(401)
    await expect(events.next()).rejects.toThrow()
    expect(await status(bystander)).toBe(200)
  })

  test('stays where the password was changed from', async () => {
    const who = await shop.newShopper()
    const change = { currentPassword: who.password, newPassword: 'another long password' }
    expect((await who.send('POST', '/api/me/password', change)).status).toBe(204)
    expect((await who.send('GET', '/api/me')).status).toBe(200)
  })

  test('is known to a process that has just begun', async () => {
    const who = await shop.newShopper()
    await shop.send('POST', '/api/auth/logout', { refreshToken: who.refreshToken })
    const third = await shop.another()
    expect((await shop.sendTo(third, who.accessToken)('GET', '/api/me')).status).toBe(401)
  })
})

describe('without signals', () => {
  const quiet = { publish: () => {}, subscribe: () => () => {}, start: async () => {}, close: async () => {} }
  const endOne = async () => {
    const { sessionId } = await shop.newShopper()
    await shop.sql(
      `update pantry.session set revoked_at = clock_timestamp(), revoked_because = 'logout' where id = $1`,
      [sessionId],
    )
    return sessionId
  }

  test('it is known once what was read is too old, and at once where signals may have been missed', async () => {
    let gap = () => {}
    const bus = { ...quiet, onGap: (listener: () => void) => ((gap = listener), () => {}) }
    const patient = rememberEndedSessions({ database, bus, ttl: 3600_000 })
    const hasty = rememberEndedSessions({ database, bus: { ...quiet, onGap: () => () => {} }, ttl: 0 })
    expect(await patient.has('nobody')).toBe(false)
    const sessionId = await endOne()
    expect([await patient.has(sessionId), await hasty.has(sessionId)]).toEqual([false, true])
    gap()
    expect(await patient.has(sessionId)).toBe(true)
  })

  test('one statement serves all that ask at the same moment', async () => {
    let reads = 0
    const counting: typeof database = {
      ...database,
      query: (...given) => {
        reads++
        return database.query(...given)
      },
    }
    const known = rememberEndedSessions({ database: counting, bus: { ...quiet, onGap: () => () => {} } })
    const asked = await Promise.all(Array.from({ length: 50 }, (_, n) => known.has(String(n))))
    expect([reads, asked.includes(true)]).toEqual([1, false])
  })
})
