// An idempotency-key middleware: `@node-idempotency/core` over PostgreSQL, through the storage interface it publishes.
import { Idempotency } from '@node-idempotency/core'
import pg from 'pg'
import type { Peer, PeerOptions } from './peer.ts'

export async function startPeer({ url, max, bareCart }: PeerOptions): Promise<Peer> {
  const pool = new pg.Pool({ connectionString: url, max, pipeline: true } as pg.PoolConfig)
  pool.on('error', () => {})
  await pool.query(`create table idempotency_cache (key text primary key, value text not null, expires_at timestamptz)`)
  const idempotency = new Idempotency({
    async setIfNotExists(key, value, { ttl } = {}) {
      const { rowCount } = await pool.query({
        name: 'cache_claim',
        text: `insert into idempotency_cache as c (key, value, expires_at)
          values ($1::text, $2::text, now() + $3::float8 * interval '1 millisecond')
          on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at where c.expires_at < now()`,
        values: [key, value, ttl],
      })
      return rowCount === 1
    },
    async set(key, value, { ttl }) {
      await pool.query({
        name: 'cache_set',
        text: `insert into idempotency_cache (key, value, expires_at)
          values ($1::text, $2::text, now() + $3::float8 * interval '1 millisecond')
          on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at`,
        values: [key, value, ttl],
      })
    },
    async get(key) {
      const { rows } = await pool.query({
        name: 'cache_get',
        text: 'select value from idempotency_cache where key = $1::text and expires_at >= now()',
        values: [key],
      })
      return rows[0]?.value
    },
  })
  return {
    name: '@node-idempotency/core 1.0.11',
    async addToCart(key, input) {
      const request = { headers: { 'idempotency-key': key }, path: '/cart/items', method: 'POST', body: { ...input } }
      const known = await idempotency.onRequest(request)
      if (known) return known.body
      const body = await bareCart(pool, input)
      await idempotency.onResponse(request, { body })
      return body
    },
    close: () => pool.end(),
  }
}
