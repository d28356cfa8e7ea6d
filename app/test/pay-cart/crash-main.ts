// Kills the server at each point of create-from-cart with each gateway, from the cart to the end of the payment, and prints
// how it ended.
//
//   npm run crash:create-from-cart [-- --gateways stripe,cardcom --sites 2 --only "webhook, before" --every 5 --all]
import { inspect, parseArgs } from 'node:util'
import { startDatabases } from '../checkout/own-database.ts'
import { gatewayNames, type GatewayName } from '../shop/start-shop.ts'
import { crashAt, planCrashes } from './crash-at.ts'
import { openCrashSite, type Crash, type CrashSite } from './crash.ts'
import { nameOf } from './crash-points.ts'

const { values } = parseArgs({
  options: {
    gateways: { type: 'string', default: gatewayNames.join(',') },
    /** Servers that are killed at the same time, of each gateway. */
    sites: { type: 'string', default: '1' },
    /** Only points whose name has this in it. */
    only: { type: 'string', default: '' },
    /** Each kind of customer at each point. */
    all: { type: 'boolean', default: false },
    /** Every nth of them. */
    every: { type: 'string', default: '1' },
  },
})
const names = gatewayNames.filter((name) => values.gateways.split(',').includes(name))
const count = Number(values.sites)
const every = Number(values.every)
const databases = await startDatabases({ count: names.length * count, fsync: false })
const sites: CrashSite[] = []

const most = (crashes: readonly Crash[], of: (crash: Crash) => number) => Math.max(0, ...crashes.map(of)).toFixed(1)

async function crashGateway(name: GatewayName, own: readonly CrashSite[]): Promise<readonly Crash[]> {
  const plans = (await planCrashes(own[0]!, { all: values.all }))
    .filter(({ point, variant }) => `${nameOf(point)}, ${variant}`.includes(values.only))
    .filter((_, n) => n % every === 0)
  console.log(`${name}: ${new Set(plans.map(({ point }) => point)).size} points, ${plans.length} crashes`)
  return crashAt(own, plans, ({ point, variant, endedAs, operationSeconds, restSeconds, wrong }) =>
    console.log(
      `${name.padEnd(9)}${`killed at ${nameOf(point)}`.padEnd(62)} ${variant.padEnd(17)} ${endedAs.padEnd(28)} ${operationSeconds.toFixed(1).padStart(5)} ${restSeconds.toFixed(1).padStart(5)}${wrong.length > 0 ? `  WRONG: ${wrong.join('; ')}` : ''}`,
    ),
  )
}

try {
  const began = performance.now()
  for (const [n, databaseUrl] of databases.urls.entries())
    sites.push(await openCrashSite({ databaseUrl, gateway: names[n % names.length]! }))
  const crashes = await Promise.all(
    names.map((name) =>
      crashGateway(
        name,
        sites.filter(({ gateway }) => gateway === name),
      ),
    ),
  )
  const all = crashes.flat()
  for (const crash of all) if (crash.wrong.length > 0) console.log(inspect(crash, { depth: 8 }))
  for (const [n, name] of names.entries()) {
    const own = crashes[n]!
    const wrong = own.filter((crash) => crash.wrong.length > 0).length
    console.log(
      `\n${name}: ${new Set(own.map(({ point }) => nameOf(point))).size} points, ${own.length} crashes, ${wrong} wrong`,
    )
    const ends = Object.entries(Object.groupBy(own, ({ endedAs }) => endedAs))
    for (const [endedAs, some] of ends) console.log(`  ${String(some!.length).padStart(4)}  ${endedAs}`)
    console.log(
      `  slowest: ${most(own, (crash) => crash.operationSeconds)} s until its operations had ended, ${most(own, (crash) => crash.restSeconds)} s until all was at rest`,
    )
  }
  const wrong = all.filter((crash) => crash.wrong.length > 0).length
  console.log(`\n${all.length} crashes in ${((performance.now() - began) / 1000).toFixed(0)} s, ${wrong} wrong`)
  process.exitCode = wrong > 0 ? 1 : 0
} finally {
  await Promise.allSettled(sites.map((site) => site.close()))
  await databases.stop()
}
