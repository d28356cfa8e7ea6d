// Kills the server at each point of a checkout, and of one that is being taken back, and prints how it ended.
//
//   npm run crash [-- --sites 3 --only orders_move]
import { inspect, parseArgs } from 'node:util'
import { chargePoints, crashAt, nameOf, openCrashSite, type Crash, type CrashSite } from './crash.ts'
import { startDatabases } from './own-database.ts'
import { startStripe } from './processes.ts'

const { values } = parseArgs({
  options: { sites: { type: 'string', default: '3' }, only: { type: 'string', default: '' } },
})
const count = Number(values.sites)
const databases = await startDatabases({ count, fsync: true })
const gateway = await startStripe()
const sites: CrashSite[] = []
try {
  const began = performance.now()
  for (const databaseUrl of databases.urls) sites.push(await openCrashSite({ databaseUrl, stripeUrl: gateway.url }))
  const forward = await sites[0]!.listPoints('forward')
  const back = await sites[0]!.listPoints('back')
  const points = [...forward, ...chargePoints, ...back].filter((point) => nameOf(point).includes(values.only))
  console.log(`${forward.length} statement points forward, ${chargePoints.length} of the charge, ${back.length} back`)
  console.log(`${'killed'.padEnd(64)} ${'ended as'.padEnd(32)} seconds  charges`)
  const tell = ({ point, endedAs, seconds, charges, wrong }: Crash) =>
    console.log(
      `${`${point.way}, ${point.when} ${nameOf(point)}`.padEnd(64)} ${endedAs.padEnd(32)} ${seconds.toFixed(1).padStart(7)} ${String(charges).padStart(8)}${wrong.length > 0 ? `  WRONG: ${wrong.join('; ')}` : ''}`,
    )
  const crashes = await crashAt(sites, points, tell)
  const wrong = crashes.filter((one) => one.wrong.length > 0)
  for (const one of wrong) console.log(inspect(one, { depth: 8 }))
  const slowest = Math.max(...crashes.map(({ seconds }) => seconds))
  const most = Math.max(...crashes.map(({ charges }) => charges))
  console.log(
    `\n${crashes.length} crashes in ${((performance.now() - began) / 1000).toFixed(0)} s: ${wrong.length} ended wrongly; the slowest took ${slowest.toFixed(1)} s; at most ${most} charges`,
  )
  process.exitCode = wrong.length > 0 ? 1 : 0
} finally {
  await Promise.allSettled(sites.map((site) => site.close()))
  await gateway.end('SIGTERM')
  await databases.stop()
}
