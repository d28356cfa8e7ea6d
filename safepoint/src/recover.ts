import type { Engine } from './engine.ts'
import { nameOf } from './keys.ts'
import { topics } from './topics.ts'
import { drive, takeHold } from './durable.ts'
import { isAway } from './database.ts'
import { engineError, isSafepointError } from './errors.ts'
import { acknowledge, stop } from './hold.ts'
import { isDurable } from './operation.ts'
import type { State } from './protocol.ts'
import { retentionSweep } from './retention-sweep.ts'
import { claimExpired, enforceDeadlines, findStates, renewLeases, type ClaimedRow } from './sql/lease.ts'
import { expire } from './start.ts'

/** While the database is away each poll fails: one line in so many milliseconds says so. */
const awayEvery = 10_000
/** Operations one process takes over in one poll. */
const claimLimit = 16
const stripEvery = 60_000

/**
 * What runs behind the signals: every `poll` milliseconds it reads where the work of this process stands, renews its leases,
 * enforces deadlines and takes over what dead processes left. Correct without any signal (I12).
 */
export function watchOver(engine: Engine, { recover }: { readonly recover: boolean }) {
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | undefined
  let closed = false
  let claims = recover
  let renewedAt = performance.now()
  let strippedAt = performance.now()
  let toldAwayAt = -Infinity
  const strip = retentionSweep(engine)
  const durableNames = [...engine.operations.values()].filter(isDurable).map(({ name }) => name)

  const unsubscribe = engine.bus.subscribe(topics.cancel, (data) => {
    const named = readName(data)
    if (named) notice(engine, ...named)
  })
  const ungap = engine.bus.onGap(() => void tick())

  const tick = (): Promise<void> => (running ??= round().finally(() => (running = undefined)))
  const round = async () => {
    clearTimeout(timer)
    const begunAt = performance.now()
    armDeadlines(engine)
    await attempt('read states', readStates)
    if (performance.now() - renewedAt > engine.lease / 3) await attempt('renew leases', renew)
    if (recover && !closed && durableNames.length > 0) {
      await attempt('enforce deadlines', async () => {
        const { rows } = await engine.database.query<{
          scope: string
          key: string
          state: State
          name: string
          reason: string
        }>(enforceDeadlines)
        for (const { scope, key, state, name } of rows) {
          if (state === 'needs_attention')
            engine.log.error(
              { operation: name, scope, key },
              'an operation could not be undone in time; a human must look',
            )
          engine.bus.publish(topics.cancel, JSON.stringify([scope, key]))
          engine.bus.publish(topics.changed(scope, key))
        }
      })
      if (claims) await attempt('take over', takeOver)
    }
    if (performance.now() - strippedAt > stripEvery) {
      strippedAt = performance.now()
      await attempt('strip', async () => {
        // The rest with the next polls: one that took its time would keep leases from being renewed.
        if (await strip()) strippedAt = -Infinity
      })
    }
    if (!closed) timer = setTimeout(() => void tick(), Math.max(0, begunAt + engine.poll - performance.now()))
  }
  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      if (closed) return
      if (isAway(error) || (isSafepointError(error) && error.code === 'unavailable')) {
        if (performance.now() - toldAwayAt < awayEvery) return
        toldAwayAt = performance.now()
      }
      engine.log.warn({ err: error }, `could not ${what}; the next poll tries again`)
    }
  }

  const readStates = async () => {
    const runs = [...engine.flights.values()].map(({ run }) => run)
    const names = [...runs, ...engine.holds.values()].map(({ scope, key }) => ({ scope, key }))
    if (names.length === 0) return
    const { rows } = await engine.database.query<{ scope: string; key: string; state: State; epoch: number | null }>(
      findStates(names),
      // Not in the lane of the work that is to be stopped, which may hold each of its connections.
      { urgent: true },
    )
    for (const row of rows) {
      const hold = engine.holds.get(nameOf(row.scope, row.key))
      if (hold && row.epoch !== hold.epoch) {
        hold.over = true
        stop(hold, 'taken over')
      } else if (row.state === 'cancelled' || row.state === 'undoing') notice(engine, row.scope, row.key)
    }
  }
  const renew = async () => {
    const held = [...engine.holds.values()].filter((hold) => !hold.over)
    const sentAt = performance.now()
    if (held.length > 0) {
      const { rows } = await engine.database.query<{ scope: string; key: string }>(renewLeases(held, engine.lease), {
        urgent: true,
      })
      const kept = new Set(rows.map(({ scope, key }) => nameOf(scope, key)))
      for (const hold of held) if (kept.has(nameOf(hold.scope, hold.key))) hold.leaseUntil = sentAt + engine.lease
    }
    renewedAt = sentAt
  }
  const takeOver = async () => {
    const sentAt = performance.now()
    const { rows } = await engine.database.query<ClaimedRow>(
      claimExpired(engine.holder, engine.lease, durableNames, claimLimit),
    )
    for (const row of rows) {
      const operation = engine.operations.get(row.name!)
      if (!operation || !isDurable(operation)) continue
      engine.log.info({ operation: row.name, key: row.key, epoch: row.epoch }, 'an operation was taken over')
      const hold = takeHold(engine, operation, { ...row, epoch: row.epoch! }, sentAt)
      void drive(hold).catch((error: unknown) =>
        engine.log.error({ operation: row.name, key: row.key, err: error }, 'a taken-over operation stopped here'),
      )
    }
  }

  return {
    start() {
      engine.watched = true
      void tick()
    },
    tick,
    /** Takes nothing over any more. */
    drain: () => void (claims = false),
    async close() {
      closed = true
      engine.watched = false
      clearTimeout(timer)
      unsubscribe()
      ungap()
      await running
    },
  }
}

/** `[scope, key]`. Whoever may connect to the database can signal: anything else is not ours. */
function readName(data: string): [scope: string, key: string] | undefined {
  try {
    const [scope, key] = JSON.parse(data) as unknown[]
    return typeof scope === 'string' && typeof key === 'string' ? [scope, key] : undefined
  } catch {
    return undefined
  }
}

/** Deadlines that end before the poll after the next one get a timer of their own. */
function armDeadlines(engine: Engine): void {
  const now = performance.now()
  for (const flight of engine.flights.values()) {
    if (!isDurable(flight.operation) && flight.deadlineAt - now < 2 * engine.poll)
      setTimeout(() => expire(flight), Math.max(0, flight.deadlineAt - now))
  }
}

/** A cancel has been committed for this key: whatever of it runs here is to stop, and a holder says so. */
function notice(engine: Engine, scope: string, key: string): void {
  const name = nameOf(scope, key)
  const hold = engine.holds.get(name)
  if (hold) {
    if (hold.controller.signal.aborted) void acknowledge(hold)
    else stop(hold, 'cancelled')
    return
  }
  engine.flights.get(name)?.stop.abort(engineError('cancelled', 'The operation was cancelled.'))
}
