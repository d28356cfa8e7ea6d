// Many buyers of the last piece at once, over two server processes, and a button that is pressed twice.
//
//   npm run race:stock [-- --buyers 100 --rounds 3 --clicks 2]
import { parseArgs } from 'node:util'
import { startDatabases } from '../checkout/own-database.ts'
import { openStockRace } from './stock-race.ts'

const { values } = parseArgs({
  options: {
    buyers: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '3' },
    clicks: { type: 'string', default: '2' },
  },
})
const buyers = Number(values.buyers)
const clicks = Number(values.clicks)
const databases = await startDatabases({ count: 1, fsync: true })
const wrong: string[] = []
try {
  const site = await openStockRace({ databaseUrl: databases.urls[0]! })
  try {
    for (const way of ['card', 'page'] as const) {
      for (let round = 1; round <= Number(values.rounds); round++) {
        const race = await site.race({ buyers, way })
        wrong.push(...race.wrong)
        const { orders, refusals, charges, milliseconds } = race
        console.log(
          `stock 1, ${buyers} buyers at once over two servers (${way}): ${orders} order, ${refusals} clear refusals, ${charges} charge, ${milliseconds.toFixed(0)} ms`,
        )
      }
      const click = await site.doubleClick({ clicks, way })
      wrong.push(...click.wrong)
      console.log(
        `${clicks} presses at once under ${clicks} keys (${way}): ${click.orders} order, ${click.charges} charge`,
      )
    }
  } finally {
    await site.close()
  }
} finally {
  await databases.stop()
}
for (const line of wrong) console.log(line)
console.log(`not as promised: ${wrong.length}`)
process.exitCode = wrong.length > 0 ? 1 : 0
