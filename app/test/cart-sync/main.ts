// The seven groups of cart synchronisation, against a shop over HTTP.
//
//   npm run test:cart-sync [-- --url http://127.0.0.1:3000 … --group "Edge Cases" …]
//
// Without --url it starts a shop of its own: a database, two server processes, two gateways. With it (given again: another
// server of that shop) accounts are registered there, and what they do is taken back. ADMIN_EMAIL and ADMIN_PASSWORD, where
// they are set, or a demonstration's own, are used for what only an administrator can do; without them that is left out.
import { parseArgs } from 'node:util'
import { startDatabases } from '../checkout/own-database.ts'
import { runGroups, type Result } from './check.ts'
import { groups } from './groups.ts'
import { openOwnSite } from './own-site.ts'
import { openSite, type Site } from './site.ts'
import { countResults, tellResult, tellTotals } from './totals.ts'

const { values } = parseArgs({
  options: {
    url: { type: 'string', multiple: true, default: [] },
    group: { type: 'string', multiple: true, default: groups.map(({ name }) => name) },
  },
})
const wanted = groups.filter(({ name }) => values.group.includes(name))
const unknown = values.group.filter((name) => !groups.some((group) => group.name === name))
if (unknown.length > 0)
  throw new Error(`There is no group ${unknown.join(', ')}: ${groups.map(({ name }) => name).join(', ')}`)

const results: Result[] = []
const opened: Array<() => Promise<unknown>> = []
try {
  const site = values.url.length > 0 ? await openTheirs(values.url) : await openOurs()
  opened.push(() => site.close())
  console.log(`Cart synchronisation at ${site.urls.join(' and ')}`)
  for await (const result of runGroups(site, wanted)) {
    const last = results.at(-1)
    if (last?.group !== result.group) console.log(`\n${result.group}`)
    if (last?.point !== result.point || last.group !== result.group) console.log(`  ${result.point}`)
    console.log(tellResult(result))
    results.push(result)
  }
  console.log(`\n${tellTotals(results)}`)
} finally {
  process.exitCode = results.length > 0 && countResults(results).failed === 0 ? 0 : 1
  for (const close of opened.reverse()) await close()
}

async function openOurs(): Promise<Site> {
  const databases = await startDatabases({ count: 1, fsync: false })
  opened.push(databases.stop)
  return openOwnSite(databases.urls[0]!)
}

function openTheirs(given: readonly string[]): Promise<Site> {
  const urls = given.map((url) => url.replace(/\/+$/, ''))
  const other = urls.find((url) => !URL.canParse(url) || new URL(url).protocol !== 'http:')
  if (other !== undefined) throw new Error(`${other} is no http:// address.`)
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = process.env
  return openSite({ urls, admin: email && password ? { email, password } : undefined })
}
