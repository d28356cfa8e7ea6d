// Random operations on a shop of two servers whose gateways fail, and then its books are balanced.
//
//   npm run shop:random [-- --operations 10000 --seed 1 --people 24 --concurrency 12]
import { parseArgs } from 'node:util'
import { startDatabases } from '../checkout/own-database.ts'
import { runRandomShop } from './random-run.ts'

const { values } = parseArgs({
  options: {
    operations: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    people: { type: 'string', default: '24' },
    concurrency: { type: 'string', default: '12' },
    quick: { type: 'boolean', default: false },
    'settle-seconds': { type: 'string', default: '180' },
  },
})
const seed = Number(values.seed)
const databases = await startDatabases({ count: 1, fsync: true })
try {
  const report = await runRandomShop({
    databaseUrl: databases.urls[0]!,
    operations: Number(values.operations),
    seed,
    people: Number(values.people),
    concurrency: Number(values.concurrency),
    quick: values.quick,
    settleMs: 1000 * Number(values['settle-seconds']),
  })
  const { performed, outcomes, orders, payments, open, answered, wrong, untrue, faults, seconds } = report
  for (const [kind, of] of [...outcomes].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    for (const [outcome, times] of [...of].toSorted(([, a], [, b]) => b - a))
      console.log(`${kind.padEnd(24)} ${outcome.padEnd(44)} ${String(times).padStart(6)}`)
  console.log(
    `\n${performed.length} operations, seed ${seed}, in ${seconds.operations.toFixed(0)} s; settled in ${seconds.settling.toFixed(0)} s`,
  )
  console.log(
    `orders ${JSON.stringify(orders)}\npayments ${JSON.stringify(payments)}\nstill open ${JSON.stringify(open)}`,
  )
  console.log(`asked of a human ${answered}`)
  for (const line of [...faults, ...untrue, ...wrong]) console.log(line)
  console.log(
    `answers that were not true ${untrue.length}; answers 500 ${faults.length}; books that do not balance ${wrong.length}`,
  )
  process.exitCode = untrue.length + wrong.length + faults.length > 0 ? 1 : 0
} finally {
  await databases.stop()
}
