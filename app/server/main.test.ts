import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { until } from '../../safepoint/test/support/until.ts'
import { testDatabase } from '../../safepoint/test/support/database.ts'
import { findOwner } from './owner.ts'

const { url: databaseUrl } = await testDatabase({ template: 'empty' })
const unused = await testDatabase({ template: 'empty' })

interface Running {
  readonly child: ChildProcess
  readonly output: () => string
  /** Resolves with the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>
}

const running: Running[] = []
const folders: string[] = []

afterEach(() => Promise.all(running.splice(0).map((one) => one.end('SIGTERM'))))
afterAll(() => {
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true })
})

function newFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pantry-main-'))
  folders.push(folder)
  return path.join(folder, 'data')
}

/** One for the tests that bring their own database along: to make one takes seconds, and what is left in it is no matter. */
const ownDatabase = newFolder()

function run(file: 'main.ts' | 'worker.ts', env: Record<string, string>): Running {
  const { PATH = '', HOME = '', TMPDIR = os.tmpdir() } = process.env
  const child = spawn(process.execPath, ['--conditions=source', path.join(import.meta.dirname, file)], {
    env: { PATH, HOME, TMPDIR, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = once(child, 'exit').then(([code]) => code as number | null)
  const one: Running = {
    child,
    output: () => output,
    async end(signal) {
      if (signal && child.exitCode === null && child.signalCode === null) child.kill(signal)
      return ended
    },
  }
  running.push(one)
  return one
}

const said = (one: Running, pattern: RegExp) =>
  until(() => pattern.exec(one.output()), {
    // A database that is made anew on a busy disk.
    timeoutMs: 45_000,
    intervalMs: 20,
    message: () => `${pattern} in:\n${one.output()}`,
  })
const addressOf = async (one: Running) => (await said(one, /Pantry is at (http:\S+)/))[1]!

test(
  'starts with nothing but a folder, refuses a second server on it, lends it to a worker, and drains on SIGTERM',
  { timeout: 60_000 },
  async () => {
    const DATA_DIR = ownDatabase
    const server = run('main.ts', { DATA_DIR })
    const url = await addressOf(server)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    const { items } = (await (await fetch(`${url}/api/products?limit=100`)).json()) as { items: unknown[] }
    expect(items.length).toBeGreaterThanOrEqual(40)
    const [, inbox] = await said(server, /mail: read it at (http:\S+),/)
    expect(await (await fetch(inbox!)).text()).toContain('Inbox')
    const [, email, password] = await said(server, /customer +(\S+) +(\S+)/)
    const login = await fetch(`${url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password }),
    })
    expect(login.status).toBe(200)
    const { items: demo } = (await (await fetch(`${url}/api/demo-accounts`)).json()) as { items: unknown[] }
    expect(demo).toContainEqual({ role: 'customer', email, password })

    const refused = run('main.ts', { DATA_DIR })
    expect(await refused.end()).toBe(1)
    expect(refused.output()).toContain(`process ${server.child.pid}, at ${url}`)
    expect(refused.output()).not.toContain('    at ')

    const worker = run('worker.ts', { DATA_DIR })
    await said(worker, /worker started/)

    const owner = findOwner(DATA_DIR)!
    expect(await server.end('SIGTERM')).toBe(0)
    expect(server.output()).not.toMatch(/did not close|ECONN|"level":[56]0/)
    expect(await worker.end()).toBe(0)
    expect(findOwner(DATA_DIR)).toBeUndefined()
    await expect(connected(new URL(owner.databaseUrl!))).resolves.toBe(false)
  },
)

test(
  'what a killed server left is taken over by the next one, and its simulated bank is still the same',
  {
    timeout: 60_000,
  },
  async () => {
    const DATA_DIR = ownDatabase
    const first = run('main.ts', { DATA_DIR })
    await addressOf(first)
    const bank = () => JSON.parse(fs.readFileSync(path.join(DATA_DIR, 'simulators.json'), 'utf8')).stripe
    const { baseUrl, secretKey } = bank()
    const params = {
      amount: '4200',
      currency: 'inr',
      payment_method: 'pm_card_visa',
      confirm: 'true',
      'payment_method_types[0]': 'card',
    }
    const paid = await fetch(`${baseUrl}/v1/payment_intents`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secretKey}` },
      body: new URLSearchParams(params),
    })
    const { id } = (await paid.json()) as { id: string }
    await until(() => fs.readFileSync(path.join(DATA_DIR, 'simulators', 'stripe.state')).includes(id))
    await first.end('SIGKILL')
    const next = run('main.ts', { DATA_DIR })
    expect((await fetch(`${await addressOf(next)}/readyz`)).status).toBe(200)
    expect(bank()).toEqual({ baseUrl, secretKey, webhookSecret: expect.any(String) })
    const seen = await fetch(`${baseUrl}/v1/payment_intents/${id}`, {
      headers: { authorization: `Bearer ${secretKey}` },
    })
    expect(await seen.json()).toMatchObject({ id, amount_received: 4200 })
    expect(await next.end('SIGTERM')).toBe(0)
  },
)

test(
  'with a DATABASE_URL it migrates that, fills no demo, makes the administrator, and offers no gateway without credentials',
  { timeout: 60_000 },
  async () => {
    const env = {
      DATABASE_URL: databaseUrl,
      JWT_SECRET: 'x'.repeat(40),
      ADMIN_EMAIL: 'boss@example.com',
      ADMIN_PASSWORD: 'long enough',
      DATA_DIR: newFolder(),
    }
    const [one, other] = [run('main.ts', env), run('main.ts', env)]
    const urls = await Promise.all([addressOf(one), addressOf(other)])
    expect(await (await fetch(`${urls[0]}/api/products`)).json()).toEqual({ items: [], nextCursor: null })
    expect(await (await fetch(`${urls[0]}/api/demo-accounts`)).json()).toEqual({ items: [], nextCursor: null })
    expect(one.output()).toContain('stripe: not offered')
    expect(one.output()).toContain('mail: not configured, because SMTP_URL is not set; mails stay queued')
    expect(one.output()).not.toContain('pantry.example')
    const login = await fetch(`${urls[1]}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'boss@example.com', password: 'long enough' }),
    })
    const { user, accessToken } = (await login.json()) as { user: unknown; accessToken: string }
    expect(user).toMatchObject({ role: 'admin' })
    const confirm = await fetch(`${urls[1]}/api/orders/${crypto.randomUUID()}/confirm`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${accessToken}`,
        'content-type': 'application/json',
        'idempotency-key': 'pay',
      },
      body: JSON.stringify({ gateway: 'stripe', paymentMethod: 'pm_card_visa' }),
    })
    expect([confirm.status, await confirm.json()]).toEqual([503, expect.objectContaining({ code: 'not_configured' })])
    expect(fs.existsSync(path.join(env.DATA_DIR, 'simulators.json'))).toBe(false)
    expect(await Promise.all([one.end('SIGTERM'), other.end('SIGTERM')])).toEqual([0, 0])
  },
)

test(
  'while PostgreSQL is away at the start it says so without a stack trace, tries again, and can be stopped',
  { timeout: 60_000 },
  async () => {
    const real = new URL(databaseUrl)
    const front = net.createServer()
    front.listen(0, '127.0.0.1')
    await once(front, 'listening')
    const { port } = front.address() as net.AddressInfo
    await new Promise((closed) => front.close(closed))
    const away = new URL(databaseUrl)
    away.port = String(port)
    const env = { DATABASE_URL: away.href, JWT_SECRET: 'x'.repeat(40), DATA_DIR: newFolder() }
    const [server, stopped, worker] = [run('main.ts', env), run('main.ts', env), run('worker.ts', env)]
    for (const one of [server, stopped, worker])
      await said(one, /PostgreSQL at 127\.0\.0\.1:\d+ cannot be reached; trying again/)
    for (const one of [stopped, worker]) {
      expect(await one.end('SIGTERM')).toBe(0)
      expect(one.output()).not.toContain('    at ')
    }

    const relay = net.createServer((socket) => {
      const behind = net.connect(Number(real.port), real.hostname)
      socket.pipe(behind).pipe(socket)
      for (const end of [socket, behind]) end.on('error', () => (socket.destroy(), behind.destroy()))
    })
    relay.listen(port, '127.0.0.1')
    await once(relay, 'listening')
    try {
      expect((await fetch(`${await addressOf(server)}/readyz`)).status).toBe(200)
      expect(await server.end('SIGTERM')).toBe(0)
    } finally {
      await new Promise((closed) => relay.close(closed))
    }
  },
)

test(
  'a wrong environment, a used port and a folder without a server are told in words',
  { timeout: 60_000 },
  async () => {
    const wrong = run('main.ts', { PORT: 'many', DATABASE_URL: 'mysql://x' })
    expect(await wrong.end()).toBe(1)
    expect(wrong.output()).toMatch(/PORT .*\n.*DATABASE_URL must be a URL/s)
    const alone = run('worker.ts', { DATA_DIR: newFolder() })
    expect(await alone.end()).toBe(1)
    expect(alone.output()).toContain('No Pantry runs on')
    const early = run('worker.ts', { DATABASE_URL: unused.url, JWT_SECRET: 'x'.repeat(40), DATA_DIR: newFolder() })
    expect(await early.end()).toBe(1)
    expect(early.output()).toContain('There is no Pantry in this database yet')
    expect(early.output()).not.toContain('    at ')
    const untouched = newFolder()
    const open = run('main.ts', { DATA_DIR: untouched, CORS_ORIGINS: 'https://*.vercel.app' })
    expect(await open.end()).toBe(1)
    expect(open.output()).toContain('admits every customer of vercel.app')
    expect(fs.existsSync(untouched)).toBe(false)
    const away = run('main.ts', {
      DATABASE_URL: databaseUrl,
      JWT_SECRET: 'x'.repeat(40),
      HOST: '203.0.113.1',
      DATA_DIR: newFolder(),
    })
    expect(await away.end()).toBe(1)
    expect(away.output()).toContain('EADDRNOTAVAIL')
    expect(away.output()).not.toContain('    at ')
    const elsewhere = new URL(databaseUrl)
    elsewhere.pathname = '/nowhere'
    const missing = run('main.ts', {
      DATABASE_URL: elsewhere.href,
      JWT_SECRET: 'x'.repeat(40),
      DATA_DIR: newFolder(),
    })
    expect(await missing.end()).toBe(1)
    expect(missing.output()).toContain('refuses: database "nowhere" does not exist')
    expect(missing.output()).not.toContain('    at ')
    const used = net.createServer()
    used.listen(0, '127.0.0.1')
    await once(used, 'listening')
    const { port } = used.address() as net.AddressInfo
    const server = run('main.ts', {
      DATABASE_URL: databaseUrl,
      JWT_SECRET: 'x'.repeat(40),
      PORT: String(port),
      DATA_DIR: newFolder(),
    })
    expect(await server.end()).toBe(1)
    expect(server.output()).toMatch(new RegExp(`cannot listen on 127.0.0.1:${port} .*EADDRINUSE.* Set PORT`))
    expect(server.output()).not.toContain('    at ')
    await new Promise((closed) => used.close(closed))
  },
)

test('what an interrupted installation has not left is installed', () => {
  const root = newFolder()
  const write = (file: string, text: string) => {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    fs.writeFileSync(path.join(root, file), text)
  }
  const scripts = path.join(import.meta.dirname, '..', '..', 'scripts')
  write('scripts/installation.mjs', fs.readFileSync(path.join(scripts, 'installation.mjs'), 'utf8'))
  const packages = { packages: { 'node_modules/one': { version: '1.0.0' } } }
  for (const file of ['package-lock.json', 'node_modules/.package-lock.json']) write(file, JSON.stringify(packages))
  write(
    'npm.mjs',
    `import fs from 'node:fs'; fs.mkdirSync('node_modules/one'); fs.writeFileSync('node_modules/one/package.json', '{}')`,
  )
  const install = () =>
    execFileSync(
      process.execPath,
      ['-e', `import('./scripts/installation.mjs').then(({ ensureInstalled }) => ensureInstalled())`],
      { cwd: root, env: { npm_execpath: path.join(root, 'npm.mjs') }, encoding: 'utf8' },
    )
  expect(install()).toMatch(/Installing packages \(some are missing\).*Installed/s)
  expect(install()).toBe('')
})

function connected({ hostname, port }: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), hostname, () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(false))
  })
}
