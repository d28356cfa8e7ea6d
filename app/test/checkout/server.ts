// Pantry's server as `app/server/main.ts` runs it with a DATABASE_URL, except that half of its charges ignore their signal.
import { buildApp } from '../../server/app.ts'
import { readConfig } from '../../server/config.ts'
import { areaLog, createLog } from '../../server/log.ts'
import { createStripeGateway } from '../../server/payments/gateways/stripe/stripe-gateway.ts'
import { readStripeConfig } from '../../server/payments/gateways/stripe/stripe-config.ts'
import { offerGateways } from '../../server/payments/offered-gateways.ts'
import { prepareDatabase } from '../../server/prepare-database.ts'
import { readRateLimits } from '../../server/rate-limits.ts'
import { createRuntime } from '../../server/runtime.ts'
import { halfDeaf } from './deaf-gateway.ts'

const config = readConfig(process.env)
const log = createLog(config)
const stripe = readStripeConfig(config.env)
if (!stripe || config.databaseUrl === undefined || config.jwtSecret === undefined)
  throw new Error('DATABASE_URL, JWT_SECRET and the credentials of Stripe are required.')
await prepareDatabase(config.databaseUrl, config, log, new AbortController().signal)
const listening: { url?: string } = {}
const runtime = createRuntime({
  config,
  databaseUrl: config.databaseUrl,
  jwtSecret: config.jwtSecret,
  publicUrl: () => listening.url ?? 'http://127.0.0.1',
  simulators: {},
  gateways: offerGateways({ stripe: { gateway: halfDeaf(createStripeGateway(stripe)), by: 'credentials' } }),
  log,
})
const app = await buildApp({
  composed: runtime.composed,
  log: areaLog(log, 'http', config.env),
  rateLimits: readRateLimits(config.rateLimits),
})
await runtime.start()
listening.url = await app.listen({ port: config.port, host: config.host })
console.log(`Pantry is at ${listening.url}`)

process.once('SIGTERM', () => {
  void (async () => {
    await app.close()
    await runtime.stop(2000)
    process.exit()
  })()
})
