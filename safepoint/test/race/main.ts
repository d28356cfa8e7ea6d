// Races cancels against commits from two server processes and prints what everybody was told.
//
//   npm run race [-- --runs 1000 --concurrency 20 --seed 1]
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect, parseArgs } from 'node:util'
import pg from 'pg'
import { engineMigrations, migrate } from '../../src/migrate.ts'
import { startPostgres } from '../../src/testkit/index.ts'
import { raceAtomic } from './race.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    concurrency: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const dataDir = await mkdtemp(join(tmpdir(), 'safepoint-race-'))
const server = await startPostgres({ dataDir })
try {
  const client = new pg.Client(server.url)
  await client.connect()
  await migrate(client, engineMigrations)
  await client.end()
  const began = performance.now()
  const report = await raceAtomic({
    url: server.url,
    runs: Number(values.runs),
    concurrency: Number(values.concurrency),
    seed: Number(values.seed),
  })
  const at = (share: number) => report.cancelTimes[Math.floor(share * (report.cancelTimes.length - 1))]!.toFixed(1)
  console.log(`${report.runs} races of a 150 ms transaction, seed ${report.seed}, ${report.answers} answers checked`)
  console.log(`took ${((performance.now() - began) / 1000).toFixed(1)} s\n`)
  console.log('cancel asked for, ms after the run   cancelled   too_late')
  for (const { from, cancelled, tooLate } of report.landings)
    console.log(
      `${`${from} – ${from + 20}`.padStart(20)} ${String(cancelled).padStart(25)} ${String(tooLate).padStart(10)}`,
    )
  console.log(`\na cancel was answered in ${at(0.5)} ms (median), ${at(0.99)} ms (p99)\n`)
  for (const [what, times] of Object.entries(report.sometimes)) console.log(`${what.padEnd(24)} ${times}`)
  for (const one of report.untrue) console.log(inspect(one, { depth: 8 }))
  const { written, promised } = report.ledger
  console.log(`\nledger: ${written} lines written, ${promised} promised`)
  console.log(`untrue answers: ${report.untrue.length}`)
  process.exitCode = report.untrue.length > 0 || written !== promised ? 1 : 0
} finally {
  await server.stop()
  await rm(dataDir, { recursive: true, force: true })
}
