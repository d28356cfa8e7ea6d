// A process that owns a PostgreSQL: prints what it started as one line of JSON, then lives until it is killed, or with
// `exit` ends without stopping the server.
import { startPostgres } from '../../src/testkit/index.ts'

const [dataDir = '', then] = process.argv.slice(2)
const { url, pid, attached } = await startPostgres({ dataDir, fsync: false })
process.stdout.write(`${JSON.stringify({ url, pid, attached })}\n`)
if (then !== 'exit') setInterval(() => {}, 60_000)
