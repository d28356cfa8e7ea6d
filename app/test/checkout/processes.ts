import { spawn } from 'node:child_process'
import { once } from 'node:events'
import os from 'node:os'
import path from 'node:path'
import type { ChargeStarted } from './deaf-gateway.ts'

const app = path.join(import.meta.dirname, '..', '..')

/** A process of the test's own, which ends with it. */
export interface Running {
  readonly pid: number
  /** Where it listens. */
  readonly url: string
  /** What it has written so far. */
  output(): string
  /** The charges it began, where it tells of them. */
  readonly charges: readonly ChargeStarted[]
  /** Resolves when it is gone. */
  end(signal: NodeJS.Signals): Promise<void>
}

const endWithParent = new URL('../../../scripts/end-with-parent.mjs', import.meta.url)

/** `script` is a file of `app/`, which prints where it listens. */
export async function startProcess(script: string, env: Record<string, string>): Promise<Running> {
  const { PATH = '' } = process.env
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--import', endWithParent.href, path.join(app, script)],
    { env: { PATH, TMPDIR: os.tmpdir(), ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  )
  const gone = once(child, 'exit')
  let output = ''
  const charges: ChargeStarted[] = []
  child.on('message', (message) => void charges.push(message as ChargeStarted))
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      const [, found] = /(?:Pantry is at |"url":")(http:\/\/[\d.:]+)/.exec(output) ?? []
      if (found !== undefined) resolve(found)
    }
    child.stdout!.on('data', read)
    child.stderr!.on('data', read)
    child.once('exit', (code) => reject(new Error(`${script} ended with ${code}:\n${output}`)))
  })
  return {
    pid: child.pid!,
    url,
    output: () => output,
    charges,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      await gone
    },
  }
}

const credentials = { STRIPE_SECRET_KEY: 'sk_test_checkout', STRIPE_WEBHOOK_SECRET: 'whsec_checkout' }

export interface ServerSettings {
  readonly databaseUrl: string
  readonly stripeUrl: string
  /** Half of the charges ignore their signal. */
  readonly halfDeaf?: boolean
  /** Milliseconds. */
  readonly lease?: number
}

/** Pantry's server, a process of its own, on a free port. */
export const startServer = ({ databaseUrl, stripeUrl, halfDeaf = false, lease }: ServerSettings): Promise<Running> =>
  startProcess(halfDeaf ? 'test/checkout/server.ts' : 'server/main.ts', {
    ...credentials,
    DATABASE_URL: databaseUrl,
    JWT_SECRET: 'a secret of the tests, of forty-eight bytes or so',
    STRIPE_BASE_URL: stripeUrl,
    PORT: '0',
    RATE_LIMITS: 'off',
    LOG_LEVEL: 'warn',
    ...(lease !== undefined && { OPERATION_LEASE_MS: String(lease) }),
  })

/** The gateway's simulator, a process of its own: its book outlives whatever is killed. */
export const startStripe = (): Promise<Running> => startProcess('simulators/stripe/main.ts', credentials)
