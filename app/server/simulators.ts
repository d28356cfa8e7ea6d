import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { startStripeSimulator } from '../simulators/stripe/start-stripe-simulator.ts'
import type { Config } from './config.ts'
import { readStripeConfig, type StripeConfig } from './payments/gateways/stripe/stripe-config.ts'

export interface RunningSimulators {
  readonly stripe: StripeConfig | undefined
  close(): Promise<void>
}

const file = (dataDir: string) => path.join(dataDir, 'simulators.json')

/** Starts a simulator for each outside service without credentials, and tells workers of the same `DATA_DIR` where they are. */
export async function startSimulators(config: Config): Promise<RunningSimulators> {
  if (!config.simulators || readStripeConfig(config.env)) return { stripe: undefined, close: async () => {} }
  const secretKey = `sk_test_${randomBytes(12).toString('hex')}`
  const webhookSecret = `whsec_${randomBytes(12).toString('hex')}`
  const running = await startStripeSimulator({ secretKey, webhookSecret })
  const stripe: StripeConfig = { baseUrl: running.url, secretKey, webhookSecret }
  fs.mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  fs.writeFileSync(file(config.dataDir), JSON.stringify({ stripe }), { mode: 0o600 })
  return {
    stripe,
    async close() {
      fs.rmSync(file(config.dataDir), { force: true })
      await running.close()
    },
  }
}

/** The simulators that the owner of `DATA_DIR` runs. */
export function findSimulators({ dataDir }: Pick<Config, 'dataDir'>): { readonly stripe?: StripeConfig } {
  try {
    return JSON.parse(fs.readFileSync(file(dataDir), 'utf8')) as { stripe?: StripeConfig }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}
