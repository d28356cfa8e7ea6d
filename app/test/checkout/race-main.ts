// Races cancels against checkouts from two server processes, and prints what everybody was told.
//
//   npm run race:checkout [-- --runs 1000 --concurrency 4 --charge-ms 20 --seed 1]
import { inspect, parseArgs } from 'node:util'
import { startDatabases } from './own-database.ts'
import { raceCheckout } from './race.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    concurrency: { type: 'string', default: '4' },
    'charge-ms': { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const chargeMs = Number(values['charge-ms'])
const seed = Number(values.seed)
const databases = await startDatabases({ count: 1, fsync: true })
try {
  const began = performance.now()
  const report = await raceCheckout({
    databaseUrl: databases.urls[0]!,
    runs: Number(values.runs),
    concurrency: Number(values.concurrency),
    chargeMs,
    seed,
  })
  const { raced, untrue, unbalanced, outcomes, cancels, midCharge, cancelTimes } = report
  const at = (share: number) => cancelTimes[Math.floor(share * (cancelTimes.length - 1))]!.toFixed(1)
  const deaf = raced.filter((one) => one.deaf).length
  console.log(`${raced.length} races of a durable checkout, seed ${seed}, ${report.answers} answers checked`)
  console.log(
    `the gateway takes up to ${chargeMs} ms longer; ${deaf} of ${raced.length} charges would ignore their signal`,
  )
  console.log(`took ${((performance.now() - began) / 1000).toFixed(1)} s\n`)
  for (const [outcome, times] of Object.entries(outcomes).toSorted())
    console.log(`${outcome.padEnd(36)} ${String(times).padStart(6)}`)
  console.log(
    `\ncancels that met a charge on its way ${midCharge.all}, of these ${midCharge.deaf} that ignored its signal`,
  )
  console.log(`a cancel was answered in ${at(0.5)} ms (median), ${at(0.99)} ms (p99)`)
  const share = (100 * cancels.notStopped) / Math.max(1, cancels.answered)
  console.log(`stopped: false   ${cancels.notStopped} of ${cancels.answered} cancels (${share.toFixed(2)} %)`)
  for (const one of untrue) console.log(inspect(one, { depth: 8 }))
  for (const line of unbalanced) console.log(line)
  console.log(`untrue answers   ${untrue.length} races; stock out of balance: ${unbalanced.length}`)
  process.exitCode = untrue.length + unbalanced.length > 0 ? 1 : 0
} finally {
  await databases.stop()
}
