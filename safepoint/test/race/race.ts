import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { uuidv7 } from '../../src/uuid.ts'
import { findUntrue, type Facts, type Told } from './check-answers.ts'
import { forkServer, type ForkedServer } from './forked-server.ts'
import { cancelWindow, chance, planRace, type RacePlan } from './plan.ts'
import { now, raceTables, type Trace } from './race-operations.ts'
import { deaf, type RaceCommand, type RaceReply, type RaceServerConfig } from './race-commands.ts'
import { countSometimes, type Sometimes } from './sometimes.ts'

export interface RaceOptions {
  /** Of a database with the engine's tables, for this race alone. */
  readonly url: string
  readonly runs: number
  /** Races at the same time. */
  readonly concurrency: number
  readonly seed: number
}

/** One race and everything that was told about it. */
export interface Raced {
  readonly key: string
  readonly plan: RacePlan
  readonly told: ReadonlyArray<Told & { readonly traces: readonly Trace[] }>
  readonly facts: Facts
  readonly untrue: readonly string[]
}

export interface RaceReport {
  readonly seed: number
  readonly runs: number
  /** Races in which somebody was told something untrue, with their whole history. */
  readonly untrue: readonly Raced[]
  /** Lines that are in the ledger, and lines that whoever was told `succeeded` was promised. */
  readonly ledger: { readonly written: number; readonly promised: number }
  readonly answers: number
  readonly sometimes: Sometimes
  /** What cancels were told, by when they were asked for after the run's call: one entry for 20 ms. */
  readonly landings: ReadonlyArray<{ readonly from: number; readonly cancelled: number; readonly tooLate: number }>
  /** Milliseconds from a cancel's call to its answer, in order. */
  readonly cancelTimes: readonly number[]
}

type Server = ForkedServer<RaceCommand, RaceReply>

const scope = 'race'

/**
 * Lets cancels and commits of atomic operations race from two server processes, and checks every answer that anybody
 * was given against the rows. The plans follow from the seed; the scheduling is the machine's.
 */
export async function raceAtomic({ url, runs, concurrency, seed }: RaceOptions): Promise<RaceReport> {
  const outside = new pg.Pool({ connectionString: url, max: 4 })
  outside.on('error', () => {})
  await outside.query(raceTables)
  const script = new URL('./race-server.ts', import.meta.url)
  const config: RaceServerConfig = { url, connections: concurrency + 4 }
  const servers = await Promise.all([0, 1].map(() => forkServer<RaceCommand, RaceReply>(script, config)))
  try {
    const random = chance(seed)
    const plans = Array.from({ length: runs }, () => planRace(random))
    const raced: Raced[] = []
    let next = 0
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        for (let index = next++; index < runs; index = next++)
          raced.push(await raceOnce(plans[index]!, servers, outside))
      }),
    )
    const { rows } = await outside.query('select sum(n)::integer as written from race_ledger')
    return report(seed, raced, rows[0].written)
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    await outside.end()
  }
}

async function raceOnce(plan: RacePlan, servers: readonly Server[], outside: pg.Pool): Promise<Raced> {
  const key = `${plan.deaf ? deaf : ''}${uuidv7()}`
  const told: Array<Told & { traces: readonly Trace[] }> = []
  const call = async (who: string, server: number, command: RaceCommand): Promise<void> => {
    const reply = await servers[server]!.call(command)
    told.push({ who: `${who} at server ${server}`, server, call: command.call, ...reply } as (typeof told)[number])
  }
  const run = { call: 'run', scope, key, isolation: plan.isolation, input: { ...plan.input, id: key } } as const
  const zero = now() - cancelWindow.from
  const at = (milliseconds: number) => pause(Math.max(0, zero + milliseconds - now()))
  const { duplicate, aimed } = plan

  const running = at(0).then(() => call('runner', plan.runner, run))
  const calls = [
    running,
    at(plan.cancelAt).then(() => call('canceller', plan.canceller, { call: 'cancel', scope, key })),
  ]
  if (duplicate) {
    const other = { ...run, input: { ...run.input, id: `${key}, another` } }
    calls.push(
      at(duplicate.at).then(() =>
        call(duplicate.otherInput ? 'other input' : 'duplicate', duplicate.server, duplicate.otherInput ? other : run),
      ),
    )
  }
  if (aimed) {
    const { events } = servers[plan.runner]!
    let aiming: Promise<void> | undefined
    const onReturning = (message: { key: string }) => {
      if (message.key === key)
        aiming ??= pause(aimed.after).then(() => call('aimed canceller', aimed.server, { call: 'cancel', scope, key }))
    }
    events.on('returning', onReturning)
    // What a handler tells of itself comes before its answer.
    calls.push(running.finally(() => events.off('returning', onReturning)).then(() => aiming))
  }
  await Promise.all(calls)
  await Promise.all([0, 1].map((server) => call('finder', server, { call: 'find', scope, key })))
  await call('replayer', plan.replayer, { ...run, retryAttempt: 1 })
  await call('late canceller', 1 - plan.canceller, { call: 'cancel', scope, key })
  await call('late replayer', 1 - plan.replayer, run)
  await call('late finder', 0, { call: 'find', scope, key })
  const facts = await readFacts(outside, key, told)
  return { key, plan, told, facts, untrue: findUntrue(told, facts) }
}

async function readFacts(outside: pg.Pool, key: string, told: Raced['told']): Promise<Facts> {
  const { rows } = await outside.query(
    `select o.state, o.id, o.name, o.head, o.body, o.cancels,
        array(select operation_id::text from race_effect where key = $2) as effects,
        (select count(*)::integer from safepoint.cancel_event where scope = $1 and key = $2) as events
      from (values (1)) as one left join safepoint.operation o on o.scope = $1 and o.key = $2`,
    [scope, key],
  )
  const { effects, events, ...row } = rows[0]
  return {
    effects: effects.length,
    effectOf: effects,
    events,
    row: row.state === null ? undefined : row,
    ranAs: told.map((one) => ranAs(one, told)),
  }
}

/** The runs a call has started, or which it joined in its process. */
function ranAs(one: Raced['told'][number], told: Raced['told']): string[] {
  const own = one.traces.map(({ operationId }) => operationId)
  if (own.length > 0 || one.threw?.code === 'key_reused') return own
  return told
    .filter(({ server, sentAt, toldAt }) => server === one.server && sentAt <= one.toldAt && toldAt >= one.sentAt)
    .flatMap(({ traces }) => traces.map(({ operationId }) => operationId))
}

function report(seed: number, raced: readonly Raced[], written: number): RaceReport {
  const untrue = raced.filter((one) => one.untrue.length > 0)
  const promised = raced.filter(
    ({ plan, facts }) => plan.input.ledgerSlot !== undefined && facts.row?.state === 'succeeded',
  ).length
  const cancels = raced.flatMap(({ told }) => {
    const run = told.find(({ who }) => who.startsWith('runner'))!
    return told
      .filter(({ who }) => who.startsWith('canceller'))
      .map((one) => ({ after: one.sentAt - run.sentAt, said: one.said as { outcome: string } | undefined }))
  })
  const landings = []
  for (let from = cancelWindow.from - 10; from < cancelWindow.to + 30; from += 20) {
    const here = cancels.filter(({ after }) => after >= from && after < from + 20)
    const count = (outcome: string) => here.filter(({ said }) => said?.outcome === outcome).length
    landings.push({ from, cancelled: count('cancelled'), tooLate: count('too_late') })
  }
  return {
    seed,
    runs: raced.length,
    untrue,
    ledger: { written, promised },
    answers: raced.reduce((sum, { told }) => sum + told.length, 0),
    sometimes: countSometimes(raced),
    landings,
    cancelTimes: raced
      .flatMap(({ told }) => told.filter(({ call }) => call === 'cancel').map(({ sentAt, toldAt }) => toldAt - sentAt))
      .toSorted((a, b) => a - b),
  }
}
