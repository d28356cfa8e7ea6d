import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { uuidv7 } from 'safepoint'
import type { CancelAnswer, OperationView } from 'safepoint/protocol'
import { until } from '../../../safepoint/test/support/until.ts'
import { findUntrue, type Facts, type Told } from './check-answers.ts'
import { isDeaf } from './deaf-gateway.ts'
import { planRaces, type RacePlan } from './plan.ts'
import { startServer, startStripe } from './processes.ts'
import { findUnbalanced, readFacts, type Subject } from './read-facts.ts'
import { newShopper, now, quantityOfOrder, send, stockGoods, type Goods, type Shopper } from './shopper.ts'
import { forwardCharges, stripeControl, type StripeControl } from './stripe-control.ts'

export interface CheckoutRaceOptions {
  /** Of a database with the app's tables, for this race alone. */
  readonly databaseUrl: string
  readonly runs: number
  /** Races at the same time, each by a shopper of its own. */
  readonly concurrency: number
  /** By how much the gateway takes longer than the simulator's own few milliseconds, at most. */
  readonly chargeMs: number
  readonly seed: number
}

export interface Raced extends Subject {
  readonly plan: RacePlan
  readonly deaf: boolean
  readonly told: readonly Told[]
  readonly facts: Facts
  readonly untrue: readonly string[]
}

export interface CheckoutRaceReport {
  readonly raced: readonly Raced[]
  /** Races in which somebody was told something untrue, with their whole history. */
  readonly untrue: readonly Raced[]
  /** Where the stock does not add up. */
  readonly unbalanced: readonly string[]
  readonly answers: number
  /** What the first cancel of each race was told, and where that ended. */
  readonly outcomes: Readonly<Record<string, number>>
  /** First cancels that were answered, and of these the ones that were told `stopped: false`. */
  readonly cancels: { readonly answered: number; readonly notStopped: number }
  /** First cancels that met a charge on its way, and of these the charges that ignored their signal. */
  readonly midCharge: { readonly all: number; readonly deaf: number }
  /** Milliseconds from the call to the answer of the first cancels, in order. */
  readonly cancelTimes: readonly number[]
}

interface Site {
  readonly servers: readonly { readonly url: string }[]
  readonly stripe: StripeControl
  readonly sql: pg.Pool
  readonly goods: Goods
  /** Milliseconds that an undisturbed confirmation takes at present, without the gateway's delay. */
  readonly pace: { typical: number }
}

/**
 * Lets cancels race checkouts from two server processes against the gateway's simulator in a third, and checks every answer
 * that anybody was given against the rows and the gateway's own book. Half of the charges ignore their signal. The plans
 * follow from the seed; the scheduling is the machine's.
 */
export async function raceCheckout(options: CheckoutRaceOptions): Promise<CheckoutRaceReport> {
  const { databaseUrl, runs, concurrency } = options
  const gateway = await startStripe()
  const servers = await Promise.all(
    [0, 1].map(() => startServer({ databaseUrl, stripeUrl: gateway.url, halfDeaf: true })),
  )
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 4 })
  try {
    const goods = await stockGoods(sql, quantityOfOrder * (runs + 4 * concurrency))
    const site: Site = { servers, stripe: stripeControl(gateway.url), sql, goods, pace: { typical: 30 } }
    const plans = planRaces(options)
    const raced: Array<Omit<Raced, 'facts' | 'untrue'>> = []
    let next = 0
    await Promise.all(
      Array.from({ length: concurrency }, async (_, index) => {
        const shopper = await newShopper(servers[index % 2]!.url)
        await warmUp(site, shopper)
        for (let index = next++; index < runs; index = next++) raced.push(await raceOnce(site, shopper, plans[index]!))
      }),
    )
    const read = await readFacts(sql, site.stripe, raced)
    const charges = Map.groupBy(
      servers.flatMap((server) => server.charges),
      ({ chargeOf }) => chargeOf,
    )
    const factsOf = ({ orderId }: { readonly orderId: string }): Facts => ({
      ...read.get(orderId)!,
      chargesBegan: (charges.get(orderId) ?? []).map(({ at }) => at),
    })
    return report(
      raced.map((one) => ({ ...one, facts: factsOf(one), untrue: findUntrue(one.told, factsOf(one)) })),
      await findUnbalanced(sql),
    )
  } catch (cause) {
    const said = servers.map((server) => server.output().slice(-4000)).join('\n')
    throw new Error(`The race broke off; the servers had said:\n${said}`, { cause })
  } finally {
    await Promise.all(servers.map((server) => server.end('SIGTERM')))
    await Promise.all([gateway.end('SIGTERM'), sql.end()])
  }
}

const card = (declines: boolean) => ({
  gateway: 'stripe',
  paymentMethod: declines ? 'pm_card_chargeDeclined' : 'pm_card_visa',
})

/** Connections, prepared statements and compiled code; and how long a checkout takes here. */
async function warmUp(site: Site, { token, placeOrder }: Shopper): Promise<void> {
  const times: number[] = []
  for (const { url } of [...site.servers, ...site.servers]) {
    const orderId = await placeOrder(url, site.goods)
    const began = now()
    const headers = { 'idempotency-key': uuidv7() }
    const { status, text } = await send(url, token, 'POST', `/api/orders/${orderId}/confirm`, card(false), headers)
    if (status !== 200) throw new Error(`A checkout that nobody cancelled was answered ${status}: ${text}`)
    times.push(now() - began)
  }
  site.pace.typical = Math.min(...times)
}

async function raceOnce(site: Site, shopper: Shopper, plan: RacePlan): Promise<Omit<Raced, 'facts' | 'untrue'>> {
  const { servers, stripe, pace } = site
  const { token, scope } = shopper
  const orderId = await shopper.placeOrder(servers[plan.runner]!.url, site.goods)
  if (plan.delay) await stripe.delayCharge(orderId, plan.delay.at, plan.delay.ms)
  const key = uuidv7()
  const told: Told[] = []
  const ask = async (call: Told['call'], who: string, server: number): Promise<Told> => {
    const path = {
      confirm: `/api/orders/${orderId}/confirm`,
      cancel: `/api/operations/${key}/cancel`,
      find: `/api/operations/${key}`,
      order: `/api/orders/${orderId}`,
    }[call]
    const sentAt = now()
    const { status, body, text } = await (call === 'confirm'
      ? send(servers[server]!.url, token, 'POST', path, card(plan.declines), { 'idempotency-key': key })
      : send(servers[server]!.url, token, call === 'cancel' ? 'POST' : 'GET', path))
    const one: Told = { call, who: `${who} at server ${server}`, server, sentAt, toldAt: now(), status, body, text }
    told.push(one)
    return one
  }
  const length = pace.typical + (plan.delay?.ms ?? 0)
  const zero = now() + 0.2 * length
  const at = (share: number) => pause(Math.max(0, zero + share * length - now()))

  const running = at(0).then(async () => {
    const { status, sentAt, toldAt } = await ask('confirm', 'confirmer', plan.runner)
    // Undisturbed ones tell how long a checkout takes under this load; it moves slowly.
    if (status === 200) pace.typical += (toldAt - sentAt - (plan.delay?.ms ?? 0) - pace.typical) / 16
  })
  await Promise.all([
    running,
    at(plan.cancelAt).then(async () => {
      await ask('cancel', 'canceller', plan.canceller)
      await ask('cancel', 'second canceller', 1 - plan.canceller)
      await ask('find', 'onlooker', plan.canceller)
    }),
    plan.duplicate && at(plan.duplicate.at).then(() => ask('confirm', 'duplicate', plan.duplicate!.server)),
  ])
  await until(
    async () => {
      const { body } = await ask('find', 'waiter', plan.runner)
      return !['running', 'undoing'].includes((body as OperationView).state)
    },
    { timeoutMs: 20_000, intervalMs: 20, message: () => `an end of ${key}: ${told.at(-1)?.text}` },
  )
  await ask('cancel', 'late canceller', plan.runner)
  await ask('find', 'late onlooker', 1 - plan.runner)
  await ask('order', 'shopper', 1 - plan.canceller)
  await ask('confirm', 'late confirmer', 1 - plan.runner)
  return { key, scope, orderId, plan, deaf: isDeaf(orderId), told }
}

function report(raced: readonly Raced[], unbalanced: readonly string[]): CheckoutRaceReport {
  const firsts = raced.map((one) => {
    const cancel = one.told.find(({ who }) => who.startsWith('canceller'))!
    return { ...one, cancel, said: cancel.status < 300 ? (cancel.body as CancelAnswer) : undefined }
  })
  const outcomes: Record<string, number> = {}
  for (const { said, cancel, facts } of firsts) {
    const name = said ? nameOf(said, facts) : `not answered (${cancel.status})`
    outcomes[name] = (outcomes[name] ?? 0) + 1
  }
  const midCharge = firsts.filter(({ cancel, facts }) =>
    forwardCharges(facts.calls).some(
      ({ arrivedAt, answeredAt }) =>
        arrivedAt.monotonic < cancel.sentAt && (answeredAt?.monotonic ?? Infinity) > cancel.sentAt,
    ),
  )
  return {
    raced,
    untrue: raced.filter(({ untrue }) => untrue.length > 0),
    unbalanced,
    answers: raced.reduce((sum, { told }) => sum + told.length, 0),
    outcomes,
    cancels: {
      answered: firsts.filter(({ said }) => said).length,
      notStopped: firsts.filter(({ said }) => said && 'stopped' in said && said.stopped === false).length,
    },
    midCharge: { all: midCharge.length, deaf: midCharge.filter(({ deaf }) => deaf).length },
    cancelTimes: firsts.map(({ cancel }) => cancel.toldAt - cancel.sentAt).toSorted((a, b) => a - b),
  }
}

function nameOf(said: CancelAnswer, { row }: Facts): string {
  switch (said.outcome) {
    case 'cancelled':
      return row?.name === null ? 'cancelled, before it arrived' : 'cancelled, before its first step'
    case 'undoing':
      return `undoing, then ${row?.state}`
    case 'too_late':
      return `too_late, ${said.state}`
    case 'needs_attention':
      return said.outcome
  }
}
