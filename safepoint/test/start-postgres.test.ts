import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { findProcessIdentity, type RunningPostgres, startPostgres } from '../src/testkit/index.ts'
import { until } from './support/until.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'start-postgres-'))
const dataDir = path.join(folder, 'data')
const started: RunningPostgres[] = []
const starters: ChildProcess[] = []

beforeAll(async () => {
  const first = await start()
  await query(first.url, 'create table kept (n integer); insert into kept values (1)')
  await first.stop()
})

afterEach(async () => {
  for (const starter of starters.splice(0)) starter.kill('SIGKILL')
  await Promise.all(started.splice(0).map((server) => server.stop()))
  await until(() => !fs.existsSync(path.join(dataDir, 'cluster', 'postmaster.pid')), { message: 'the server is gone' })
})

afterAll(() => fs.rmSync(folder, { recursive: true }))

async function start(options: Partial<Parameters<typeof startPostgres>[0]> = {}): Promise<RunningPostgres> {
  const server = await startPostgres({ dataDir, fsync: false, ...options })
  started.push(server)
  return server
}

/** Starts it from another process, which can be killed. */
function startElsewhere(
  where = dataDir,
  then = '',
): Promise<{ starter: ChildProcess; url: string; pid: number; attached: boolean }> {
  const script = path.join(import.meta.dirname, 'support', 'postgres-starter.ts')
  const starter = spawn(process.execPath, [script, where, then], { stdio: ['ignore', 'pipe', 'inherit'] })
  starters.push(starter)
  return new Promise((resolve, reject) => {
    starter.once('exit', (code) => reject(new Error(`the starter ended with ${code}`)))
    starter.stdout.once('data', (line) => resolve({ starter, ...JSON.parse(String(line)) }))
  })
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

const readKept = (url: string) => query(url, 'select n from kept')
const isGone = (pid: number) => findProcessIdentity(pid) === undefined

test('it listens on 127.0.0.1 alone, and asks for the password', async () => {
  const { url, port } = await start()
  expect(await query(url, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }])
  expect(await query(url, 'show unix_socket_directories')).toEqual([{ unix_socket_directories: '' }])
  await expect(query(`postgres://postgres:wrong@127.0.0.1:${port}/postgres`, 'select 1')).rejects.toMatchObject({
    code: '28P01',
  })
  expect(fs.statSync(path.join(dataDir, 'password')).mode & 0o777).toBe(0o600)
})

test('stop() leaves the data and no process, and the next start finds the data', async () => {
  const first = await start()
  await first.stop()
  expect(isGone(first.pid)).toBe(true)
  const second = await start()
  expect(second.attached).toBe(false)
  expect(await readKept(second.url)).toEqual([{ n: 1 }])
})

test('a starter that ends without stop() leaves no server', async () => {
  const { pid } = await startElsewhere(dataDir, 'exit')
  await until(() => isGone(pid), { message: 'the server ended with its starter' })
})

test('a starter killed with SIGKILL leaves nothing the next start cannot take over', async () => {
  const { starter, url, pid } = await startElsewhere()
  await query(url, 'select 1')
  starter.kill('SIGKILL')
  await until(() => isGone(starter.pid!), { message: 'the starter is gone', intervalMs: 1 })
  // At once, while the server may still be shutting down.
  const next = await start()
  expect(await readKept(next.url)).toEqual([{ n: 1 }])
  await next.stop()
  expect(isGone(pid)).toBe(true)
  expect(isGone(next.pid)).toBe(true)
})

test('a server that outlived its killed starter is taken over: stopped, and started with its data', async () => {
  const { starter, pid } = await startElsewhere()
  for (const shell of listShells(pid)) process.kill(shell, 'SIGKILL')
  starter.kill('SIGKILL')
  await until(() => isGone(starter.pid!), { message: 'the starter is gone' })
  const next = await start()
  expect(isGone(pid)).toBe(true)
  expect(next.attached).toBe(false)
  expect(await readKept(next.url)).toEqual([{ n: 1 }])
})

test('a starter that ends while it makes the cluster leaves nobody making it', async () => {
  const fresh = path.join(folder, 'interrupted')
  const draft = path.join(fresh, 'cluster.draft', 'PG_VERSION')
  const script = `import { startPostgres } from ${JSON.stringify(path.join(import.meta.dirname, '../src/testkit/index.ts'))}
    process.on('SIGTERM', () => process.exit(0))
    await startPostgres({ dataDir: ${JSON.stringify(fresh)}, fsync: false })`
  const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  starters.push(starter)
  await until(() => fs.existsSync(draft), { intervalMs: 5, timeoutMs: 10_000 })
  starter.kill('SIGTERM')
  // It takes away what it has made so far.
  await until(() => !fs.existsSync(draft), { message: 'initdb has ended' })
  expect(fs.existsSync(path.join(fresh, 'cluster'))).toBe(false)
})

test('a second starter attaches to the first one’s server, and its stop() leaves it alone', async () => {
  const first = await startElsewhere()
  const second = await start()
  expect(second).toMatchObject({ attached: true, pid: first.pid, url: first.url })
  await second.stop()
  expect(await readKept(first.url)).toEqual([{ n: 1 }])
})

test('four starters at once on an empty folder come to one server', async () => {
  const empty = path.join(folder, 'empty')
  const servers = await Promise.all([1, 2, 3, 4].map(() => startElsewhere(empty)))
  expect(new Set(servers.map(({ pid }) => pid)).size).toBe(1)
  expect(servers.filter(({ attached }) => !attached)).toHaveLength(1)
  for (const { starter } of servers) starter.kill('SIGKILL')
  await until(() => isGone(servers[0]!.pid), { message: 'the server ended with its owner' })
})

test('a killed server recovers at the next start', async () => {
  const first = await startElsewhere()
  await query(first.url, 'create table crashed (n integer); insert into crashed values (7)')
  process.kill(first.pid, 'SIGKILL')
  first.starter.kill('SIGKILL')
  await until(() => isGone(first.starter.pid!), { message: 'the starter is gone' })
  const next = await start()
  expect(next.attached).toBe(false)
  expect(await query(next.url, 'select n from crashed')).toEqual([{ n: 7 }])
})

test('a server that is killed while its starter lives is started again on its port, until it is stopped', async () => {
  const told: string[] = []
  const server = await start({ onRestart: (line) => told.push(line) })
  const lives = () => readKept(server.url).catch(() => undefined)
  for (const times of [1, 2]) {
    const [pid] = fs.readFileSync(path.join(dataDir, 'cluster', 'postmaster.pid'), 'utf8').split('\n')
    process.kill(Number(pid), 'SIGKILL')
    expect(await until(async () => (told.length >= times ? lives() : undefined), { timeoutMs: 20_000 })).toEqual([
      { n: 1 },
    ])
  }
  await server.stop()
  expect(await lives()).toBeUndefined()
  expect(told).toHaveLength(2)
})

test('a suspended server can be stopped', async () => {
  const server = await start()
  process.kill(server.pid, 'SIGSTOP')
  await server.stop()
  expect(isGone(server.pid)).toBe(true)
})

test.runIf(process.getuid?.() === 0)(
  'as root it runs on what a start of somebody else has made, under their account',
  async () => {
    const owned = path.join(folder, 'of somebody')
    const first = await start({ dataDir: owned })
    await first.stop()
    execFileSync('chown', ['-R', '65533:65533', owned])
    const next = await start({ dataDir: owned })
    expect(fs.statSync(`/proc/${next.pid}`).uid).toBe(65_533)
    expect(await query(next.url, 'select 1 as n')).toEqual([{ n: 1 }])
  },
)

test('a pid file whose pid went to another program does not stop a start', async () => {
  fs.writeFileSync(
    path.join(dataDir, 'cluster', 'postmaster.pid'),
    `${process.pid}\n/elsewhere\n1\n1\n\n127.0.0.1\n0\nready\n`,
  )
  expect((await start()).attached).toBe(false)
})

test('a used port, a wrong version and missing binaries are said in a sentence', async () => {
  const busy = net.createServer()
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve))
  const { port } = busy.address() as net.AddressInfo
  await expect(start({ port })).rejects.toMatchObject({
    code: 'port_in_use',
    message: expect.stringContaining(String(port)),
  })
  busy.close()
  await expect(start({ binaries: folder })).rejects.toMatchObject({
    code: 'no_binaries',
    message: expect.stringContaining('DATABASE_URL'),
  })
  fs.writeFileSync(path.join(dataDir, 'cluster', 'PG_VERSION'), '15\n')
  await expect(start()).rejects.toMatchObject({ code: 'wrong_version' })
  fs.writeFileSync(path.join(dataDir, 'cluster', 'PG_VERSION'), '18\n')
  expect(await readKept((await start()).url)).toEqual([{ n: 1 }])
})

/** The shells beside a server: its parent, and what else that parent started. */
function listShells(pid: number): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const parent = rows.find(([child]) => child === pid)![1]!
  return [parent, ...rows.filter(([child, its]) => its === parent && child !== pid).map(([child]) => child!)]
}
