import pg from 'pg'
import { until } from '../../../safepoint/test/support/until.ts'
import { startProcess } from '../checkout/processes.ts'
import { findUnbalanced } from '../checkout/read-facts.ts'
import { now, stockGoods } from '../checkout/shopper.ts'
import { startStatementProxy } from '../checkout/statement-proxy.ts'
import { logIn } from '../shop/people.ts'
import { administrator as administratorsLogin, credentials, type GatewayName } from '../shop/start-shop.ts'
import { simulatorControl } from '../shop/simulator-control.ts'
import { beginWay, untilTold, type Begun } from './begin-way.ts'
import type { CrashPoint, Variant, Way } from './crash-points.ts'
import { startEdge } from './edge.ts'
import { endOf, findUntrue, findWrong, type Expected } from './find-wrong.ts'
import { goOn, type Rest } from './go-on.ts'
import { holdCall } from './gateway-calls.ts'
import { newPurchase, type Purchase, type Told } from './purchase.ts'
import { listRunning, listStuck, readTruth, type Truth } from './read-truth.ts'
import { closeCase } from './time-passes.ts'

export interface Crash {
  readonly gateway: GatewayName
  readonly point: CrashPoint
  readonly variant: Variant
  readonly endedAs: string
  /** From when there is a server again until every operation that the killed one left has ended. */
  readonly operationSeconds: number
  /** Until nothing more is to happen; what is to happen only after minutes happens at once. */
  readonly restSeconds: number
  /** What is wrong, in words. */
  readonly wrong: readonly string[]
  readonly told: readonly Told[]
  readonly truth: Truth | undefined
}

/** Milliseconds: how long a dead process holds an operation, and what may pass beyond that. */
const lease = 2000
const patience = 5000

/** Statements that come whenever they come: of the engine's poll and bus, and of the jobs. */
const background = new Set([
  'sp_find_states',
  'sp_renew_leases',
  'sp_claim_expired',
  'sp_enforce_deadlines',
  'sp_strip_operations',
  'sp_notify',
  'orders_expired',
  'payments_claim_due',
  'webhooks_claim',
])

export const currencies: Readonly<Record<GatewayName, string>> = { stripe: 'INR', razorpay: 'INR', cardcom: 'ILS' }

export interface CrashSiteSettings {
  readonly databaseUrl: string
  readonly gateway: GatewayName
}

/** A shop with one gateway on a database of its own, whose server is killed and started again as often as there are points. */
export async function openCrashSite({ databaseUrl, gateway }: CrashSiteSettings) {
  const proxy = await startStatementProxy(databaseUrl, ['safepoint', 'safepoint-cancel'])
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 3 })
  sql.on('error', () => {})
  const edge = await startEdge()
  const simulator = await startProcess(`simulators/${gateway}/main.ts`, credentials[gateway])
  const control = simulatorControl(simulator.url)
  await control('PUT', '/webhook', { url: `${edge.url}/api/payments/${gateway}-webhook` })
  const start = async () => {
    const started = await startProcess('server/main.ts', {
      ...credentials[gateway],
      [`${gateway.toUpperCase()}_BASE_URL`]: simulator.url,
      DATABASE_URL: proxy.url,
      JWT_SECRET: 'a secret of the tests, of forty-eight bytes or so',
      PUBLIC_URL: edge.url,
      SHOP_CURRENCY: currencies[gateway],
      PORT: '0',
      RATE_LIMITS: 'off',
      LOG_LEVEL: 'warn',
      ADMIN_EMAIL: administratorsLogin.email,
      ADMIN_PASSWORD: administratorsLogin.password,
      OPERATION_LEASE_MS: String(lease),
    })
    edge.pointTo(started)
    return started
  }
  let server = await start()
  let alive = true
  const administrator = await logIn(edge.url, administratorsLogin)
  const goods = await stockGoods(sql, 100_000, currencies[gateway])
  /** Of points before: told of there. */
  let knownStuck: readonly string[] = []
  let knownUnaccounted: readonly string[] = []

  const isStuck = async () => (await listStuck(sql)).some((id) => !knownStuck.includes(id))
  const around = {
    gateway,
    control,
    edge,
    async quiet() {
      await until(
        async () => {
          if (!alive || (await isStuck())) return true
          const { rows: waiting } = await sql.query(`select from pantry.webhook_event where state = 'waiting'`)
          return waiting.length === 0 && (await listRunning(sql)).length === 0
        },
        { timeoutMs: 20_000, intervalMs: 20, message: 'nothing under way' },
      )
    },
  }
  const begin = async (way: Way): Promise<{ purchase: Purchase; begun: Begun }> => {
    const purchase = await newPurchase({ url: edge.url, gateway, goods })
    return { purchase, begun: await beginWay(way, purchase, around) }
  }
  const truthOf = async ({ customer, key }: Purchase): Promise<Truth> => {
    const truth = await readTruth(sql, { name: gateway, control }, { ...customer, key })
    return { ...truth, unaccounted: truth.unaccounted.filter((id) => !knownUnaccounted.includes(id)) }
  }

  async function crashOnce(point: CrashPoint, variant: Variant): Promise<Crash | 'missed'> {
    const { way } = point
    const { purchase, begun } = await begin('idle' in point ? 'undo' : way)
    const barrier = 'call' in point ? await holdCall(gateway, control, point.call, point.at) : undefined
    let acting: Promise<unknown> | undefined
    if (!('idle' in point)) {
      const reached = barrier ? barrier.arrived() : proxy.arm(point as Parameters<typeof proxy.arm>[0])
      reached.catch(() => undefined)
      acting = begun.act(() => 0).catch(() => undefined)
      const missed = acting.then(() => 'missed' as const)
      if ((await Promise.race([reached, missed])) === 'missed') {
        proxy.restore()
        await barrier?.release()
        return 'missed'
      }
    }
    alive = false
    await server.end('SIGKILL')
    edge.pointTo(undefined)
    proxy.restore()
    await barrier?.release()
    await acting
    const { undelivered } = begun
    if ('idle' in point) {
      await purchase.pay(purchase.page()!)
      await purchase.goBack()
      await untilTold(around)
      if (way === 'webhook') for (const delivery of edge.take()) undelivered.add(delivery)
      edge.take()
    }
    const left = await listRunning(sql)
    server = await start()
    alive = true
    const upAt = now()

    const ending = until(
      async () => {
        const running = new Set(await listRunning(sql))
        return left.every((id) => !running.has(id)) && now()
      },
      { timeoutMs: 30_000, intervalMs: 20, message: 'an end of each operation' },
    )
    const wrong: string[] = []
    let rest: Rest | undefined
    try {
      rest = await goOn({ ...around, sql, truthOf, isStuck, administrator }, { point, variant, purchase, undelivered })
    } catch (error) {
      wrong.push(`it did not come to rest: ${(error as Error).message}`)
    }
    const restAt = now()
    const endedAt = await ending.catch(() => restAt)
    const truth = rest?.truth ?? (await truthOf(purchase))
    const asked = rest?.asked ?? false
    const operationSeconds = (endedAt - upAt) / 1000
    if (operationSeconds * 1000 > lease + patience)
      wrong.push(`its operations took ${operationSeconds.toFixed(1)} s to end`)
    if (asked && !mayAsk(gateway, way)) wrong.push('a human was asked')
    wrong.push(...(rest?.wrong ?? []), ...findWrong(truth, expectedOf(point, variant, purchase)))
    wrong.push(...findUntrue(purchase.told, truth))
    wrong.push(...(await findUnbalanced(sql)))
    knownStuck = await listStuck(sql)
    knownUnaccounted = [...knownUnaccounted, ...truth.unaccounted]
    await closeCase(sql)
    const restSeconds = (restAt - upAt) / 1000
    const { told } = purchase
    return {
      gateway,
      point,
      variant,
      endedAs: `${endOf(truth)}${asked ? ', a human looked' : ''}`,
      operationSeconds,
      restSeconds,
      wrong,
      told,
      truth,
    }
  }

  return {
    gateway,
    /** Every statement of a way, in order. */
    async listPoints(way: Way): Promise<CrashPoint[]> {
      const { begun } = await begin(way)
      const recorded = proxy.record()
      const from = await begun.act(() => recorded.length)
      const seen = recorded.slice(from).filter(({ statement }) => !background.has(statement))
      await closeCase(sql)
      return seen.flatMap(({ statement, nth }) =>
        (['before', 'after'] as const).map((when) => ({ way, statement, nth, when })),
      )
    },
    /** Two runs are not the same in each packet: a point that was not reached is tried again. */
    async crash(point: CrashPoint, variant: Variant): Promise<Crash> {
      for (let attempt = 1; attempt <= 4; attempt++) {
        const crash = await crashOnce(point, variant)
        if (crash !== 'missed') return crash
      }
      return {
        gateway,
        point,
        variant,
        endedAs: 'not reached',
        operationSeconds: 0,
        restSeconds: 0,
        wrong: ['the point was not reached'],
        told: [],
        truth: undefined,
      }
    },
    output: () => server.output(),
    async close() {
      await server.end('SIGTERM')
      await simulator.end('SIGTERM')
      await Promise.all([proxy.close(), edge.close(), sql.end()])
    },
  }
}

export type CrashSite = Awaited<ReturnType<typeof openCrashSite>>

/** CardCom repeats no refund: one that was under way as the server died is a human's to look after. */
const mayAsk = (gateway: GatewayName, way: Way) => gateway === 'cardcom' && (way === 'refund' || way === 'late')

function expectedOf({ way }: CrashPoint, variant: Variant, purchase: Purchase): Expected {
  if (way === 'webhook' || way === 'return') return 'completed'
  if (way === 'create') return variant === 'comes back' ? 'completed' : 'taken back'
  // Whoever never comes back may not have been heard.
  return way === 'refund' && variant === 'never comes back' && purchase.hasPaid() ? 'either' : 'taken back'
}
