import { expect, test } from 'vitest'
import { world } from '../test/world.ts'
import { purgeSessionsJob } from './purge-sessions.ts'

const shop = await world()
const { sql, send } = shop
const job = shop.composed.jobs.find(({ name }) => name === purgeSessionsJob)!
const purge = () => job.work({}, new AbortController().signal)
const refresh = (refreshToken: string) => send('POST', '/api/auth/refresh', { refreshToken })
const sessionOf = async (refreshToken: string): Promise<string | undefined> =>
  (await sql('select session_id from pantry.refresh_token where id = $1', [refreshToken.split('.')[0]]))[0]?.[
    'session_id'
  ]

test('a used refresh token stays for as long as it could be shown again: it is told as reuse to the last, and is unknown after that', async () => {
  const kept = await shop.newShopper()
  const first = kept.refreshToken
  const { body } = await refresh(first)
  const session = await sessionOf(first)
  await sql(
    `update pantry.refresh_token set used_at = used_at - interval '29 days' where session_id = $1 and used_at is not null`,
    [session],
  )
  await purge()
  expect(await refresh(first)).toMatchObject({ status: 401, body: { code: 'token_reused' } })
  // Its session is ended, and still nothing of it goes before its time.
  await purge()
  expect(await sessionOf(first)).toBe(session)
  await sql(`update pantry.session set expires_at = clock_timestamp() - interval '23 hours' where id = $1`, [session])
  await purge()
  expect(await sessionOf(first)).toBe(session)
  await sql(`update pantry.session set expires_at = clock_timestamp() - interval '25 hours' where id = $1`, [session])
  await purge()
  expect(await sql('select from pantry.session where id = $1', [session])).toEqual([])
  for (const token of [first, body.refreshToken as string])
    expect(await refresh(token)).toMatchObject({ status: 401, body: { code: 'token_invalid' } })
})

test('a session that goes on is left alone, and thousands of tokens that are over go in batches, by two servers at once', async () => {
  const live = await shop.newShopper()
  const over = await shop.newShopper()
  const session = await sessionOf(over.refreshToken)
  await sql(
    `insert into pantry.refresh_token (id, session_id, generation, used_at)
    select gen_random_uuid(), $1::uuid, n, clock_timestamp() from generate_series(2, 2600) n`,
    [session],
  )
  await sql(`update pantry.session set expires_at = clock_timestamp() - interval '2 days' where id = $1`, [session])
  await Promise.all([purge(), purge()])
  await purge()
  expect(await sql('select from pantry.refresh_token where session_id = $1', [session])).toEqual([])
  expect(await sql('select from pantry.session where id = $1', [session])).toEqual([])
  expect((await refresh(live.refreshToken)).status).toBe(200)
})

test('a link to a new password goes a day after its time, used or not, and no earlier', async () => {
  const { user } = await shop.newShopper()
  const links = await sql<{ id: string }>(
    `insert into pantry.password_reset (id, account_id, credential_version, expires_at, used_at)
    select gen_random_uuid(), $1::uuid, 1, clock_timestamp() + ago * interval '1 hour', used
    from (values (1, null), (1, clock_timestamp()), (-23, null), (-25, null), (-25, clock_timestamp())) as v (ago, used)
    returning id`,
    [user.id],
  )
  await purge()
  expect(await sql('select id from pantry.password_reset where account_id = $1', [user.id])).toHaveLength(3)
  expect(links).toHaveLength(5)
})
