import { parseArgs } from 'node:util'
import { endWithParent } from '../end-with-parent.ts'
import { startStripeSimulator } from './start-stripe-simulator.ts'

/**
 * The simulator as a process of its own. Prints one JSON line, `{"name":"stripe","url":"http://127.0.0.1:…"}`, when it
 * listens; ends on SIGTERM or SIGINT, and with the process that started it when that one hands it a pipe as stdin and
 * says `--with-parent`.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'secret-key': { type: 'string', default: process.env['STRIPE_SECRET_KEY'] ?? 'sk_test_simulator' },
    'webhook-url': { type: 'string' },
    'webhook-secret': { type: 'string', default: process.env['STRIPE_WEBHOOK_SECRET'] ?? 'whsec_simulator' },
    'search-lag-ms': { type: 'string', default: '0' },
    'with-parent': { type: 'boolean', default: false },
  },
})

const simulator = await startStripeSimulator({
  port: Number(values.port),
  secretKey: values['secret-key'],
  webhookSecret: values['webhook-secret'],
  searchLagMs: Number(values['search-lag-ms']),
  ...(values['webhook-url'] === undefined ? {} : { webhookUrl: values['webhook-url'] }),
})
process.stdout.write(`${JSON.stringify({ name: 'stripe', url: simulator.url })}\n`)
endWithParent(simulator, values['with-parent'])
