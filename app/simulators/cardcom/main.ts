import { parseArgs } from 'node:util'
import { endWithParent } from '../end-with-parent.ts'
import { startCardcomSimulator } from './start-cardcom-simulator.ts'

/**
 * The simulator as a process of its own. Prints one JSON line, `{"name":"cardcom","url":"http://127.0.0.1:…"}`, when it
 * listens; ends on SIGTERM or SIGINT, and with the process that started it when that one hands it a pipe as stdin and
 * says `--with-parent`.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'terminal-number': { type: 'string', default: process.env['CARDCOM_TERMINAL_NUMBER'] ?? '1000' },
    'api-name': { type: 'string', default: process.env['CARDCOM_API_NAME'] ?? 'simulator' },
    'api-password': { type: 'string', default: process.env['CARDCOM_API_PASSWORD'] ?? 'simulator_password' },
    'legacy-webhooks': { type: 'boolean', default: false },
    'report-declines': { type: 'boolean', default: false },
    'with-parent': { type: 'boolean', default: false },
  },
})

const simulator = await startCardcomSimulator({
  port: Number(values.port),
  terminalNumber: Number(values['terminal-number']),
  apiName: values['api-name'],
  apiPassword: values['api-password'],
  legacyWebhooks: values['legacy-webhooks'],
  reportDeclines: values['report-declines'],
})
process.stdout.write(`${JSON.stringify({ name: 'cardcom', url: simulator.url })}\n`)
endWithParent(simulator, values['with-parent'])
