// Writes docs/operations.md from the operations that the shop registers; with --check it only compares, and fails where they
// differ. Nothing is connected to: definitions are read, none is run.
import { readFile, writeFile } from 'node:fs/promises'
import pino from 'pino'
import { buildApp } from '../app/server/app.ts'
import { compose } from '../app/server/compose.ts'
import { openDatabase } from '../app/server/database.ts'
import { listOperationRoutes, operationsMarkdown } from '../app/server/describe-operations.ts'
import { readOfferedGateways } from '../app/server/payments/offered-gateways.ts'

const file = new URL('../docs/operations.md', import.meta.url)

/** Every gateway is offered, so that its steps say how they are settled. */
const credentials = {
  STRIPE_SECRET_KEY: 'sk_test_documentation',
  STRIPE_WEBHOOK_SECRET: 'whsec_documentation',
  RAZORPAY_KEY_ID: 'rzp_test_documentation',
  RAZORPAY_KEY_SECRET: 'documentation',
  RAZORPAY_WEBHOOK_SECRET: 'documentation',
  CARDCOM_TERMINAL_NUMBER: '1000',
  CARDCOM_API_NAME: 'documentation',
  CARDCOM_API_PASSWORD: 'documentation',
}

async function describe(): Promise<string> {
  const log = pino({ level: 'silent' })
  const { database, announcements } = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none' })
  const composed = compose({
    database,
    announcements,
    currency: 'INR',
    jwtSecret: 'documentation needs no secret, but the tokens want one',
    gateways: readOfferedGateways(credentials),
    enqueue: async () => {},
    publicUrl: () => 'http://127.0.0.1:3000',
    log,
  })
  const app = await buildApp({ composed, log })
  try {
    await app.ready()
    return operationsMarkdown([...composed.pantry.safepoint.operations.values()], listOperationRoutes(app.swagger()))
  } finally {
    await app.close()
    await database.close()
  }
}

const wanted = `<!-- Written by scripts/write-operation-docs.ts from the operations' own definitions; edit those instead. -->\n\n${await describe()}`

if (process.argv.includes('--check')) {
  const present = await readFile(file, 'utf8').catch(() => '')
  if (present !== wanted) {
    console.error('docs/operations.md is not what the operations say: npm run docs:write')
    process.exitCode = 1
  }
} else await writeFile(file, wanted)
