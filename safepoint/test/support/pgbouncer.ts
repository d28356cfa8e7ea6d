import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { serverAccount } from '../../src/testkit/postgres-binaries.ts'
import { findFreePort } from '../../src/testkit/start-postgres.ts'
import { spawnTied } from '../../src/testkit/tied-process.ts'
import { until } from './until.ts'
import pg from 'pg'

export interface RunningPgBouncer {
  /** The given URL, through the pooler. */
  url: string
  stop: () => Promise<void>
}

interface Binary {
  command: string
  /** Folders of shared libraries that came with it. */
  libraries: string[]
}

const cache = path.resolve(import.meta.dirname, '../../../node_modules/.cache/pgbouncer')

/**
 * Starts PgBouncer in transaction mode before the server of `url`: the one on PATH, else Debian's package, unpacked
 * without installing it. `undefined` where it cannot be had; with CI=true that is an error.
 */
export async function startPgBouncer(
  url: string,
  options: { poolSize?: number } = {},
): Promise<RunningPgBouncer | undefined> {
  let found: Binary
  try {
    found = findOnPath() ?? fetchPackage()
  } catch (error) {
    if (process.env.CI === 'true') throw new Error('PgBouncer is required in CI and could not be had', { cause: error })
    return undefined
  }
  return launch(found, new URL(url), options.poolSize ?? 20)
}

function findOnPath(): Binary | undefined {
  const places = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin']
  const command = places.map((place) => path.join(place, 'pgbouncer')).find((file) => fs.existsSync(file))
  return command === undefined ? undefined : { command, libraries: [] }
}

function fetchPackage(): Binary {
  const unpacked = path.join(cache, 'root')
  if (!fs.existsSync(unpacked)) {
    fs.mkdirSync(cache, { recursive: true })
    const draft = fs.mkdtempSync(path.join(cache, 'draft-'))
    const quietly = (command: string, ...args: string[]) =>
      execFileSync(command, args, { cwd: draft, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 })
    try {
      if (process.getuid?.() === 0) fs.chmodSync(draft, 0o755)
      let depends: string
      try {
        depends = quietly('apt-cache', 'depends', 'pgbouncer')
      } catch (error) {
        if (process.getuid?.() !== 0) throw error
        quietly('apt-get', 'update')
        depends = quietly('apt-cache', 'depends', 'pgbouncer')
      }
      const libraries = [...depends.matchAll(/Depends: (lib(?!c6\b|elogind)\S+)/g)].map((match) => match[1]!)
      quietly('apt-get', 'download', 'pgbouncer', ...libraries)
      for (const file of fs.readdirSync(draft).filter((name) => name.endsWith('.deb'))) {
        quietly('dpkg', '-x', file, 'root')
        fs.rmSync(path.join(draft, file))
      }
      fs.renameSync(path.join(draft, 'root'), unpacked)
    } catch (error) {
      // Another test process may have been first.
      if (!fs.existsSync(unpacked)) throw error
    } finally {
      fs.rmSync(draft, { recursive: true, force: true })
    }
  }
  const libraries = ['usr/lib', 'lib'].flatMap((place) => {
    const folder = path.join(unpacked, place)
    if (!fs.existsSync(folder)) return []
    return fs.readdirSync(folder).map((name) => path.join(folder, name))
  })
  return {
    command: path.join(unpacked, 'usr/sbin/pgbouncer'),
    libraries: libraries.filter((place) => place.endsWith('-linux-gnu')),
  }
}

async function launch(found: Binary, target: URL, poolSize: number): Promise<RunningPgBouncer> {
  // A copy, because the account it runs under may not be able to walk to the checkout.
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'safepoint-pgbouncer-'))
  const at = (name: string) => path.join(folder, name)
  fs.copyFileSync(found.command, at('pgbouncer'))
  fs.mkdirSync(at('lib'))
  for (const place of found.libraries) fs.cpSync(place, at('lib'), { recursive: true, verbatimSymlinks: true })
  const port = await findFreePort()
  fs.writeFileSync(
    at('pgbouncer.ini'),
    `[databases]
* = host=${target.hostname} port=${target.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${at('users.txt')}
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 300
`,
  )
  const user = decodeURIComponent(target.username)
  fs.writeFileSync(at('users.txt'), `"${user}" "${decodeURIComponent(target.password)}"\n`, { mode: 0o600 })
  const { uid, gid } = serverAccount()
  if (uid !== undefined && gid !== undefined)
    for (const place of [folder, at('users.txt')]) fs.chownSync(place, uid, gid)

  const log = fs.openSync(at('log'), 'a')
  const child = spawnTied({
    command: at('pgbouncer'),
    args: [at('pgbouncer.ini')],
    endSignal: 'TERM',
    log,
    env: { LD_LIBRARY_PATH: at('lib') },
  })
  fs.closeSync(log)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String(port)
  await until(() => ping(url.href), { message: () => `PgBouncer is up: ${fs.readFileSync(at('log'), 'utf8')}` })
  return {
    url: url.href,
    stop: async () => {
      ;(child.stdio[4] as { destroy?: () => void } | null)?.destroy?.()
      child.ref()
      await ended
      fs.rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function ping(url: string): Promise<boolean> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query('select 1')
  await client.end()
  return true
}
