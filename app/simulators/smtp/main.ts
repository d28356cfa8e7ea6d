import { parseArgs } from 'node:util'
import { endWithParent } from '../end-with-parent.ts'
import { startSmtpSimulator } from './start-smtp-simulator.ts'

/**
 * The simulator as a process of its own. Prints one JSON line, `{"name":"smtp","url":"http://127.0.0.1:…","smtpUrl":"smtp://…"}`,
 * when it listens; ends on SIGTERM or SIGINT, and with the process that started it when that one hands it a pipe as stdin and
 * says `--with-parent`.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'smtp-port': { type: 'string', default: '0' },
    user: { type: 'string' },
    pass: { type: 'string' },
    'with-parent': { type: 'boolean', default: false },
  },
})

const { user, pass } = values
const simulator = await startSmtpSimulator({
  port: Number(values.port),
  smtpPort: Number(values['smtp-port']),
  ...(user !== undefined && pass !== undefined && { credentials: { user, pass } }),
})
process.stdout.write(`${JSON.stringify({ name: 'smtp', url: simulator.url, smtpUrl: simulator.smtpUrl })}\n`)
endWithParent(simulator, values['with-parent'])
