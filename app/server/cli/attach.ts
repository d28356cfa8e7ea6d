import { randomBytes } from 'node:crypto'
import pino from 'pino'
import type { Composed } from '../compose.ts'
import { readConfig } from '../config.ts'
import { openDatabase, type PantryDatabase } from '../database.ts'
import { findOwner } from '../owner.ts'
import { Refused } from './refused.ts'

/** The shop that a command looks at. */
export interface Attached {
  readonly database: PantryDatabase
  /** ISO 4217. */
  readonly currency: string
  /**
   * The operations, for commands that change something: run here under keys of their own like any other, announced to the
   * servers, and settled by them should this process die.
   */
  engine(): Promise<Composed>
  close(): Promise<void>
}

/** Finds the database: that of `DATABASE_URL`, or of the Pantry that runs on `DATA_DIR`. Throws ConfigError and {@link Refused}. */
export function attach(env: Readonly<Record<string, string | undefined>>): Attached {
  // No token is made or read here: a command needs no secret.
  const secret = env.JWT_SECRET || randomBytes(48).toString('base64url')
  const config = readConfig({ ...env, JWT_SECRET: secret })
  const found = config.databaseUrl ?? findOwner(config.dataDir)?.databaseUrl
  if (found === undefined)
    throw new Refused(`No Pantry runs on ${config.dataDir}. Start it first (npm start), or set DATABASE_URL.`)
  const url: string = found
  const { directDatabaseUrl: directUrl, currency } = config
  const { database, announcements } = openDatabase({ url, directUrl, max: 2 })
  const log = pino({ level: 'error' }, pino.destination(2))
  const closing: Array<() => Promise<void>> = [() => database.close()]
  let composed: Promise<Composed> | undefined

  async function open(): Promise<Composed> {
    // Loaded by commands that write only: the others start in half the time.
    const [{ compose, jobNames }, { createJobs }, { readOfferedGateways }] = await Promise.all([
      import('../compose.ts'),
      import('../jobs.ts'),
      import('../payments/offered-gateways.ts'),
    ])
    const jobs = createJobs({ url, names: jobNames, log })
    await jobs.start()
    closing.push(() => jobs.stop(0))
    const made = compose({
      database,
      announcements,
      currency,
      jwtSecret: secret,
      gateways: readOfferedGateways({}),
      enqueue: jobs.enqueue,
      publicUrl: () => '',
      log,
      engine: { recover: false },
    })
    closing.push(() => made.pantry.safepoint.stop({ grace: 5000 }))
    return made
  }

  return {
    database,
    currency,
    engine: () => (composed ??= open()),
    async close() {
      await composed?.catch(() => undefined)
      for (const close of closing.toReversed()) await close()
    },
  }
}
