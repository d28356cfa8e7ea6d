// What the benches share: a fresh PostgreSQL with its durable defaults, the engine's tables, and a cart to write to.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { defineOperation, migrate, type StandardSchema } from 'safepoint'
import { startPostgres } from 'safepoint/testkit'

export const anything: StandardSchema<any, any> = {
  '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) },
}

export async function startStand({ carts = 6400 } = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'safepoint-bench-'))
  const server = await startPostgres({ dataDir })
  const client = new pg.Client(server.url)
  await client.connect()
  await migrate(client, { directory: new URL('../safepoint/migrations/', import.meta.url), name: 'safepoint' })
  // Filled and analysed before anybody prepares a statement: a connection that plans while the tables are small keeps another plan
  // than one that plans later, and two pools with the same settings then differ by a fifth.
  await client.query(`create table cart (id integer primary key, version integer not null default 0) with (fillfactor = 50);
    create table cart_item (cart_id integer references cart, variant_id integer, quantity integer not null,
      primary key (cart_id, variant_id)) with (fillfactor = 50);
    insert into cart (id) select generate_series(1, ${carts});
    insert into cart_item select cart, variant, 1 from generate_series(1, ${carts}) cart, generate_series(0, 9) variant`)
  await client.query('vacuum analyze cart')
  await client.query('vacuum analyze cart_item')
  const { rows } = await client.query(
    `select version(), current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`,
  )
  await client.end()
  return {
    url: server.url,
    about: `${rows[0].version.split(' ').slice(0, 2).join(' ')}, fsync ${rows[0].fsync}, synchronous_commit ${rows[0].commit}, Node ${process.version}`,
    async stop() {
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** A cart operation of two statements, the second of which needs the first one's answer. */
export const addItem = {
  name: 'bench_add_item',
  text: `insert into cart_item (cart_id, variant_id, quantity) values ($1::integer, $2::integer, 1)
    on conflict (cart_id, variant_id) do update set quantity = cart_item.quantity + 1 returning quantity`,
}
export const touchCart = {
  name: 'bench_touch_cart',
  text: 'update cart set version = version + 1 where id = $1::integer and $2::integer > 0 returning version',
}

export const addToCart = defineOperation({
  name: 'cart.add-item',
  input: anything,
  undo: {
    record: ({ input }) => input,
    run: async (ctx, { cartId, variantId }: { cartId: number; variantId: number }) => {
      await ctx.tx.query(
        'update cart_item set quantity = quantity - 1 where cart_id = $1::integer and variant_id = $2::integer',
        [cartId, variantId],
      )
    },
  },
  async run(ctx, { cartId, variantId }: { cartId: number; variantId: number }) {
    const added = await ctx.tx.query({ ...addItem, values: [cartId, variantId] })
    const touched = await ctx.tx.query({ ...touchCart, values: [cartId, added.rows[0]!.quantity] })
    return { cartId, quantity: added.rows[0]!.quantity, version: touched.rows[0]!.version }
  },
})

export function quartiles(values: readonly number[]): { q1: number; median: number; q3: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => {
    const place = share * (sorted.length - 1)
    const low = sorted[Math.floor(place)]!
    return low + (sorted[Math.ceil(place)]! - low) * (place % 1)
  }
  return { q1: at(0.25), median: at(0.5), q3: at(0.75) }
}

/** Runs `work` `count` times by `clients` closed loops; returns what a loop's rounds took, in milliseconds, and the whole. */
export async function load(clients: number, count: number, work: (client: number, index: number) => Promise<unknown>) {
  const latencies: number[] = []
  let next = 0
  const started = performance.now()
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let index = next++; index < count; index = next++) {
        const begun = performance.now()
        await work(client, index)
        latencies.push(performance.now() - begun)
      }
    }),
  )
  const elapsed = performance.now() - started
  return { perSecond: (count / elapsed) * 1000, latencies }
}

/** All contenders in each round, in an order drawn afresh, so that drift of the machine and neighbours meet all alike. */
export async function interleave<Name extends string>(
  rounds: number,
  contenders: Record<Name, () => Promise<{ perSecond: number; latencies: number[] }>>,
): Promise<Record<Name, Array<{ perSecond: number; latency: number }>>> {
  const names = Object.keys(contenders) as Name[]
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    Array<{ perSecond: number; latency: number }>
  >
  for (let round = 0; round < rounds; round++) {
    for (const name of shuffled(names)) {
      const { perSecond, latencies } = await contenders[name]()
      results[name].push({ perSecond, latency: quartiles(latencies).median })
    }
  }
  return results
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

export function ratio(of: ReadonlyArray<number>, to: ReadonlyArray<number>): string {
  const { q1, median, q3 } = quartiles(of.map((value, index) => value / to[index]!))
  return `${median.toFixed(3)}  (quartiles ${q1.toFixed(3)} – ${q3.toFixed(3)})`
}
