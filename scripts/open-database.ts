// `npm run database -- <folder>`: starts the PostgreSQL of a folder that a failed test run kept, until Ctrl-C.
import fs from 'node:fs'
import path from 'node:path'
import { startPostgres } from '../safepoint/src/testkit/index.ts'

const folder = process.argv[2]
if (folder === undefined) {
  console.error('Which folder? npm run database -- /tmp/safepoint-test-…')
  process.exit(1)
}
const dataDirs = [folder, path.join(folder, '18'), path.join(folder, '15')].filter((place) =>
  fs.existsSync(path.join(place, 'cluster')),
)
if (dataDirs.length === 0) {
  console.error(`There is no database in ${folder}.`)
  process.exit(1)
}
const servers = await Promise.all(
  dataDirs.map((dataDir) => {
    const major = Number(fs.readFileSync(path.join(dataDir, 'cluster', 'PG_VERSION'), 'utf8')) as 15 | 18
    return startPostgres({ dataDir, major })
  }),
)
for (const { url } of servers) console.log(url)
console.log('Ctrl-C stops it.')
const open = setInterval(() => {}, 60_000)
process.once('SIGINT', () => {
  clearInterval(open)
  void Promise.all(servers.map((server) => server.stop()))
})
