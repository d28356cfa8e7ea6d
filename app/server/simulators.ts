import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { startCardcomSimulator } from '../simulators/cardcom/start-cardcom-simulator.ts'
import { startRazorpaySimulator } from '../simulators/razorpay/start-razorpay-simulator.ts'
import { startSmtpSimulator } from '../simulators/smtp/start-smtp-simulator.ts'
import { startStripeSimulator } from '../simulators/stripe/start-stripe-simulator.ts'
import type { Config } from './config.ts'
import type { MailSimulator } from './mail/choose-relay.ts'
import { readCardcomConfig, type CardcomConfig } from './payments/gateways/cardcom/cardcom-config.ts'
import { readRazorpayConfig, type RazorpayConfig } from './payments/gateways/razorpay/razorpay-config.ts'
import { readStripeConfig, type StripeConfig } from './payments/gateways/stripe/stripe-config.ts'

/** What is needed to talk to the simulators that run; absent: that service has credentials, or no simulator is wanted. */
export interface SimulatorConfigs {
  readonly stripe?: StripeConfig | undefined
  readonly razorpay?: RazorpayConfig | undefined
  readonly cardcom?: CardcomConfig | undefined
  readonly smtp?: MailSimulator | undefined
}

export interface RunningSimulators extends SimulatorConfigs {
  /** From now on every one of them delivers its events to the shop that listens at `url`. */
  pointWebhooks(url: string): Promise<void>
  close(): Promise<void>
}

interface Started {
  readonly name: string
  /** It has no events to deliver, or is told with each of its objects where to. */
  readonly silent?: true
  readonly url: string
  close(): Promise<void>
}

const file = (dataDir: string) => path.join(dataDir, 'simulators.json')

/** Starts a simulator for each outside service without credentials, and tells workers of the same `DATA_DIR` where they are. */
export async function startSimulators(config: Config): Promise<RunningSimulators> {
  const started: Started[] = []
  const { env, simulators: wanted } = config
  const configs: SimulatorConfigs = {
    ...(wanted && !readStripeConfig(env) && { stripe: await startStripe(started, config) }),
    ...(wanted && !readRazorpayConfig(env) && { razorpay: await startRazorpay(started, config) }),
    ...(wanted && !readCardcomConfig(env) && { cardcom: await startCardcom(started, config) }),
    ...(wanted && !config.smtp && { smtp: await startSmtp(started, config) }),
  }
  if (started.length > 0) {
    fs.mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
    fs.writeFileSync(file(config.dataDir), JSON.stringify(configs), { mode: 0o600 })
  }
  return {
    ...configs,
    pointWebhooks: (url) => pointWebhooks(started, url),
    async close() {
      if (started.length > 0) fs.rmSync(file(config.dataDir), { force: true })
      await Promise.all(started.map((one) => one.close()))
    },
  }
}

const random = (prefix: string) => `${prefix}_${randomBytes(12).toString('hex')}`

/** What a simulator was, and is again after a restart: payment pages that were opened before it stay where they are. */
interface Identity<Credentials> {
  readonly port: number
  readonly credentials: Credentials
}

/**
 * Starts a simulator as it was before, with what it knew. Beside an embedded database only: what another one holds was never told to
 * a simulator of ours.
 */
async function startKept<Credentials, Running extends { readonly url: string }>(
  { databaseUrl, dataDir }: Config,
  name: string,
  fresh: Credentials,
  start: (options: Credentials & { readonly port?: number; readonly keepIn?: string }) => Promise<Running>,
): Promise<Running & { readonly credentials: Credentials }> {
  if (databaseUrl !== undefined) return { ...(await start({ ...fresh, port: 0 })), credentials: fresh }
  const folder = path.join(dataDir, 'simulators')
  const identityFile = path.join(folder, `${name}.json`)
  const known = readJson<Identity<Credentials>>(identityFile)
  const options = { ...(known?.credentials ?? fresh), keepIn: path.join(folder, `${name}.state`) }
  const running = await start({ ...options, port: known?.port ?? 0 }).catch((error: NodeJS.ErrnoException) => {
    // Somebody else has its port now.
    if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error
    return start(options)
  })
  const credentials = known?.credentials ?? fresh
  const identity: Identity<Credentials> = { port: Number(new URL(running.url).port), credentials }
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
  fs.writeFileSync(identityFile, JSON.stringify(identity), { mode: 0o600 })
  return { ...running, credentials }
}

async function startStripe(started: Started[], config: Config): Promise<StripeConfig> {
  const fresh = { secretKey: random('sk_test'), webhookSecret: random('whsec') }
  const running = await startKept(config, 'stripe', fresh, startStripeSimulator)
  started.push({ name: 'stripe', url: running.url, close: () => running.close() })
  return { baseUrl: running.url, ...running.credentials }
}

async function startRazorpay(started: Started[], config: Config): Promise<RazorpayConfig> {
  const fresh = { keyId: random('rzp_test'), keySecret: random('secret'), webhookSecret: random('whsec') }
  const running = await startKept(config, 'razorpay', fresh, startRazorpaySimulator)
  const { webhookSecret, ...credentials } = running.credentials
  started.push({ name: 'razorpay', url: running.url, close: () => running.close() })
  return { baseUrl: running.url, ...credentials, webhookSecrets: [webhookSecret] }
}

async function startCardcom(started: Started[], config: Config): Promise<CardcomConfig> {
  const fresh = { terminalNumber: 1000, apiName: random('api'), apiPassword: random('password') }
  const running = await startKept(config, 'cardcom', fresh, startCardcomSimulator)
  started.push({ name: 'cardcom', silent: true, url: running.url, close: () => running.close() })
  return { baseUrl: running.url, ...running.credentials }
}

async function startSmtp(started: Started[], config: Config): Promise<MailSimulator> {
  const fresh = { credentials: { user: 'pantry', pass: random('smtp') } }
  const running = await startKept(config, 'smtp', fresh, startSmtpSimulator)
  started.push({ name: 'smtp', silent: true, url: running.url, close: () => running.close() })
  return { smtpUrl: running.smtpUrl, inboxUrl: running.url }
}

/** By the control route that any test may use too: a simulator is told as any vendor is, from outside. */
async function pointWebhooks(started: readonly Started[], url: string): Promise<void> {
  for (const { name, url: simulator, silent } of started) {
    if (silent) continue
    const told = await fetch(`${simulator}/_control/webhook`, {
      method: 'PUT',
      body: JSON.stringify({ url: `${url}/api/payments/${name}-webhook` }),
    })
    if (!told.ok) throw new Error(`the ${name} simulator does not take its webhook: ${await told.text()}`)
  }
}

/** The simulators that the owner of `DATA_DIR` runs. */
export function findSimulators({ dataDir }: Pick<Config, 'dataDir'>): SimulatorConfigs {
  return readJson<SimulatorConfigs>(file(dataDir)) ?? {}
}

function readJson<T>(from: string): T | undefined {
  try {
    return JSON.parse(fs.readFileSync(from, 'utf8')) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
