import { parseArgs } from 'node:util'
import { endWithParent } from '../end-with-parent.ts'
import { startRazorpaySimulator } from './start-razorpay-simulator.ts'

/**
 * The simulator as a process of its own. Prints one JSON line, `{"name":"razorpay","url":"http://127.0.0.1:…"}`, when it
 * listens; ends on SIGTERM or SIGINT, and with the process that started it when that one hands it a pipe as stdin and
 * says `--with-parent`.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'key-id': { type: 'string', default: process.env['RAZORPAY_KEY_ID'] ?? 'rzp_test_simulator' },
    'key-secret': { type: 'string', default: process.env['RAZORPAY_KEY_SECRET'] ?? 'simulator_secret' },
    'webhook-url': { type: 'string' },
    'webhook-secret': { type: 'string', default: process.env['RAZORPAY_WEBHOOK_SECRET'] ?? 'whsec_simulator' },
    'unique-receipts': { type: 'boolean', default: false },
    'with-parent': { type: 'boolean', default: false },
  },
})

const simulator = await startRazorpaySimulator({
  port: Number(values.port),
  keyId: values['key-id'],
  keySecret: values['key-secret'],
  webhookSecret: values['webhook-secret'],
  uniqueReceipts: values['unique-receipts'],
  ...(values['webhook-url'] === undefined ? {} : { webhookUrl: values['webhook-url'] }),
})
process.stdout.write(`${JSON.stringify({ name: 'razorpay', url: simulator.url })}\n`)
endWithParent(simulator, values['with-parent'])
