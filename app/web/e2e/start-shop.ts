import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { buildPages } from './build-pages.ts'

const app = path.join(import.meta.dirname, '..', '..')

/** What the payment gateway's simulator has in its book for one order. */
export interface Booked {
  readonly charges: number
  readonly charged: number
  readonly refunded: number
  readonly net: number
}

export interface Shop {
  readonly url: string
  /** Holds the next charge at the bank: the money is taken, and the answer does not leave until it is released. */
  holdCharge(): Promise<HeldCall>
  /** Holds the next refund before the bank has done anything. */
  holdRefund(): Promise<HeldCall>
  /** What has come to a mailbox, the latest first. */
  readMails(to: string): Promise<ReadonlyArray<{ readonly subject: string; readonly text: string }>>
  /** By order id. */
  readBook(): Promise<Readonly<Record<string, Booked>>>
  stop(): Promise<void>
}

export interface HeldCall {
  /** Resolves once it has arrived and is held. */
  arrived(): Promise<void>
  release(): Promise<void>
}

/** The whole of Pantry as `npm start` runs it, on a database of its own: pages built, server, simulators. */
export async function startShop(): Promise<Shop> {
  await buildPages()
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'pantry-e2e-'))
  const server = spawn(process.execPath, ['--conditions=source', path.join(app, 'server', 'main.ts')], {
    env: { PATH: process.env.PATH, TMPDIR: os.tmpdir(), DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'error' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      const [, found] = /Pantry is at (\S+)/.exec(output) ?? []
      if (found !== undefined) resolve(found)
    }
    server.stdout.on('data', read)
    server.stderr.on('data', read)
    server.once('exit', (code) => reject(new Error(`The server ended with ${code}:\n${output}`)))
  })
  const simulators = JSON.parse(fs.readFileSync(path.join(dataDir, 'simulators.json'), 'utf8')) as {
    stripe: { baseUrl: string }
    smtp: { inboxUrl: string }
  }
  const control = async <T>(method: string, route: string, body?: object): Promise<T> => {
    const response = await fetch(`${simulators.stripe.baseUrl}/_control${route}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }
  const hold = async (route: string, at: 'begun' | 'executed'): Promise<HeldCall> => {
    const { id } = await control<{ id: string }>('POST', '/barriers', { match: { method: 'POST', path: route }, at })
    return {
      arrived: () => control('GET', `/barriers/${id}?waitMs=10000`),
      release: () => control('POST', `/barriers/${id}/release`, {}),
    }
  }
  return {
    url,
    holdCharge: () => hold('/v1/payment_intents', 'executed'),
    holdRefund: () => hold('/v1/refunds', 'begun'),
    async readMails(to) {
      const response = await fetch(`${simulators.smtp.inboxUrl}/messages.json?to=${encodeURIComponent(to)}`)
      return ((await response.json()) as { messages: Awaited<ReturnType<Shop['readMails']>> }).messages
    },
    readBook: async () => (await control<{ net: { byOrder: Record<string, Booked> } }>('GET', '/book')).net.byOrder,
    async stop() {
      if (server.exitCode === null) {
        server.kill('SIGTERM')
        await once(server, 'exit')
      }
      fs.rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
