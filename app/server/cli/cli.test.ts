import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { uuidv7 } from 'safepoint'
import { afterAll, expect, test } from 'vitest'
import { testDatabase } from '../../../safepoint/test/support/database.ts'
import { claimOwnership } from '../owner.ts'
import { world } from '../test/world.ts'
import { runCommand } from './run-command.ts'

const shop = await world()
const empty = await testDatabase({ template: 'empty' })
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pantry-cli-'))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
  readonly json: any
}

/** `npm run pantry -- …`, without npm. */
async function run(args: readonly string[], env: Record<string, string> = { DATABASE_URL: shop.url }): Promise<Ran> {
  const { PATH = '', HOME = '', TMPDIR = os.tmpdir() } = process.env
  const child = spawn(process.execPath, ['--conditions=source', path.join(import.meta.dirname, 'main.ts'), ...args], {
    env: { PATH, HOME, TMPDIR, DATA_DIR: path.join(folder, 'nothing'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (texts.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (texts.err += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return ranOf(code, texts)
}

/** The same in this process: to start one takes most of the time of a command. */
async function typed(args: readonly string[], env: Record<string, string> = { DATABASE_URL: shop.url }): Promise<Ran> {
  const texts = { out: '', err: '' }
  const code = await runCommand(args, {
    env: { DATA_DIR: path.join(folder, 'nothing'), ...env },
    out: (text) => void (texts.out += `${text}\n`),
    err: (text) => void (texts.err += `${text}\n`),
  })
  return ranOf(code, texts)
}

const ranOf = (code: number | null, texts: { readonly out: string; readonly err: string }): Ran => ({
  code,
  ...texts,
  get json() {
    return JSON.parse(texts.out)
  },
})

test('cart show: lines in aligned columns with exact prices, and for programs what the API answers', async () => {
  const shopper = await shop.newShopper()
  const none = await typed(['cart', 'show', shopper.email])
  expect([none.code, none.out]).toEqual([0, expect.stringContaining('has no cart yet')])
  const { productId, variantIds } = await shop.newProduct({ price: 1005, variants: 2 })
  for (const [variantId, quantity] of [
    [variantIds[0], 2],
    [variantIds[1], 10],
  ] as const)
    await shopper.send('POST', '/api/cart/add', { productId, variantId, quantity })
  const [people, programs] = await Promise.all([
    run(['cart', 'show', shopper.email.toUpperCase()]),
    run(['cart', 'show', shopper.email, '--json']),
  ])
  expect([people.code, people.err, programs.code, programs.err]).toEqual([0, '', 0, ''])
  expect(programs.json).toEqual((await shopper.send('GET', '/api/cart')).body)
  expect(people.out).toContain('2 lines, 12 units, 130.60 INR')
  const table = people.out.trimEnd().split('\n').slice(-4)
  expect(table[0]).toMatch(/^product +quantity +price +total +available +variant$/)
  expect(table.find((line) => line.includes('11.05'))).toMatch(/ +10 +11\.05 INR +110\.50 INR +yes +[0-9a-f-]{36}$/)
  const ends = table.slice(2).map((line) => line.indexOf(' INR'))
  expect(ends[0]).toBe(ends[1])
  const unknown = await run(['cart', 'show', 'nobody@example.com'])
  expect([unknown.code, unknown.out, unknown.err]).toEqual([1, '', 'No account has the address nobody@example.com.\n'])
})

test('cart tidy: folds what an import brought, and tells the running server', async () => {
  const shopper = await shop.newShopper()
  const { variantIds } = await shop.newProduct()
  await shopper.send('GET', '/api/cart')
  const cartId = uuidv7()
  await shop.sql(`insert into pantry.cart (id, account_id, state) values ($1, $2, 'imported')`, [
    cartId,
    shopper.user.id,
  ])
  await shop.sql(`insert into pantry.cart_item (id, cart_id, variant_id, quantity) values ($1, $2, $3, 4)`, [
    uuidv7(),
    cartId,
    variantIds[0],
  ])
  const waiting = await typed(['cart', 'show', shopper.email])
  expect(waiting.out).toContain('imported carts wait')
  const tidied = await run(['cart', 'tidy', shopper.email, '--json'])
  expect([tidied.code, tidied.err]).toEqual([0, ''])
  expect(tidied.json).toEqual([{ accountId: shopper.user.id, email: shopper.email, carts: 1, lines: 1, notMerged: [] }])
  const again = await typed(['cart', 'tidy'])
  expect([again.code, again.out]).toEqual([0, 'There is nothing to tidy.\n'])
  const { body } = await shopper.send('GET', '/api/cart')
  expect(body.items.map((item: { quantity: number }) => item.quantity)).toEqual([4])
})

test('stock movements: by SKU or id, with what the shelf has', async () => {
  const admin = await shop.newAdmin()
  const { variantIds } = await shop.newProduct({ stock: 5 })
  const [variantId] = variantIds as [string]
  await shop.sql(`update pantry.variant set sku = 'RICE-5' where id = $1`, [variantId])
  await admin.send('POST', `/api/admin/stock/${variantId}`, { delta: -2, reason: 'loss: mice' })
  const people = await run(['stock', 'movements', 'RICE-5', '--limit', '1'])
  expect(people.code).toBe(0)
  expect(people.out).toContain('3 on hand, 0 reserved, 3 can be ordered')
  expect(people.out).toMatch(/Z +-2 +loss +- +[0-9a-f-]{36} +loss: mice\n$/)
  const { json } = await typed(['stock', 'movements', variantId, '--json'])
  expect(json).toMatchObject({
    variant: { id: variantId, sku: 'RICE-5' },
    stock: { onHand: 3, available: 3 },
    movements: [{ delta: -2 }, { delta: 5 }],
  })
  expect((await typed(['stock', 'movements', 'GONE'])).err).toBe('No variant has the id or the SKU GONE.\n')
})

test('webhooks list and replay: a dead event waits anew, with a job for it', async () => {
  const id = uuidv7()
  await shop.sql(
    `insert into pantry.webhook_event (id, gateway, event_id, type, gateway_reference, payload, state, tries, last_error, occurred_at, due_at)
    values ($1::uuid, 'stripe', $1::uuid::text, 'payment_intent.succeeded', 'pi_1', '{}'::bytea, 'dead', 9, 'no such payment', now(), now())`,
    [id],
  )
  const dead = await typed(['webhooks', 'list', '--state', 'dead'])
  expect([dead.code, dead.out]).toEqual([
    0,
    expect.stringMatching(/stripe +payment_intent\.succeeded +dead +9 +- +no such payment/),
  ])
  const replayed = await run(['webhooks', 'replay', id])
  expect([replayed.code, replayed.err, replayed.out]).toEqual([0, '', expect.stringContaining('is waiting')])
  expect((await typed(['webhooks', 'list', '--json'])).json).toMatchObject([{ id, state: 'waiting', tries: 0 }])
  expect(
    await shop.sql(`select from pgboss.job where name = 'payments.apply-event' and state = 'created'`),
  ).not.toEqual([])
  const gone = await typed(['webhooks', 'replay', uuidv7()])
  expect([gone.code, gone.out, gone.err]).toEqual([1, '', 'There is no such event.\n'])
})

test('cancel-events, orders and mails: what support asks for', async () => {
  const shopper = await shop.newShopper()
  await shopper.send('POST', '/api/operations/never-arrived/cancel', { reason: 'changed my mind' })
  const cancels = await typed(['cancel-events', '--last', '10'])
  expect(cancels.out).toContain(shopper.email)
  expect(cancels.out).toMatch(/changed my mind +never-arrived/)
  expect((await typed(['cancel-events', '--last', '1', '--json'])).json).toMatchObject([
    { key: 'never-arrived', outcome: 'cancelled', email: shopper.email },
  ])

  const { productId } = await shop.newProduct({ price: 250 })
  await shopper.send('POST', '/api/cart/add', { productId, quantity: 3 })
  const address = await shopper.send('POST', '/api/addresses', {
    name: 'A',
    line1: '1 Road',
    city: 'Pune',
    postalCode: '411001',
    country: 'IN',
  })
  const order = await shopper.send(
    'POST',
    '/api/orders',
    { addressId: address.body.id, expectedTotal: { amount: 750, currency: 'INR' } },
    { 'idempotency-key': uuidv7() },
  )
  expect(order.status).toBe(201)
  const shown = await typed(['orders', 'show', order.body.id])
  expect(shown.out).toContain('7.50 INR')
  expect(shown.out).toContain('no payment yet')
  expect(shown.out).toMatch(/Z +- +pending/)
  expect((await typed(['orders', 'show', 'x'])).code).toBe(1)

  await shop.sql(
    `insert into pantry.mail (id, once, account_id, template, data, locale, recipient) values ($1::uuid, $1::uuid::text, $2, 'receipt', '{}', 'he', $3)`,
    [uuidv7(), shopper.user.id, 'a\u001b[31m@example.com'],
  )
  const mails = await typed(['mails', 'list', '--state', 'queued', '--email', '@EXAMPLE'])
  expect(mails.out).toMatch(/receipt +he +queued/)
  // What others have written cannot colour, move or clear the terminal.
  expect(mails.out).not.toContain('\u001b')
})

test('attaches to the Pantry that runs on DATA_DIR, and says clearly when nothing runs', async () => {
  const dataDir = path.join(folder, 'owned')
  const nothing = await run(['mails', 'list'], { DATA_DIR: dataDir })
  expect([nothing.code, nothing.out, nothing.err]).toEqual([
    1,
    '',
    `No Pantry runs on ${dataDir}. Start it first (npm start), or set DATABASE_URL.\n`,
  ])
  const owner = claimOwnership(dataDir)
  try {
    owner.publish({ url: 'http://127.0.0.1:1', databaseUrl: shop.url })
    expect((await run(['cancel-events'], { DATA_DIR: dataDir })).code).toBe(0)
  } finally {
    owner.release()
  }
  const away = await typed(['mails', 'list'], { DATABASE_URL: 'postgres://x:y@127.0.0.1:1/z' })
  expect([away.code, away.err]).toEqual([1, expect.stringMatching(/^The database cannot be reached/)])
  const bare = await typed(['mails', 'list'], { DATABASE_URL: empty.url })
  expect([bare.code, bare.err]).toEqual([
    1,
    'There is no Pantry in this database yet: start it once, which makes its tables.\n',
  ])
  const wrong = await typed(['mails', 'list'], { DATABASE_URL: 'mysql://x' })
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('DATABASE_URL')])
})

test('help for all and for each; what is no command is exit code 2', async () => {
  const all = await run(['--help'])
  const names = [...all.out.matchAll(/^ {2}([a-z-]+(?: [a-z]+)?)(?= )/gm)].map(([, name]) => name!)
  expect(names).toEqual([
    'cart show',
    'cart tidy',
    'stock movements',
    'payments attention',
    'webhooks list',
    'webhooks replay',
    'orders show',
    'cancel-events',
    'mails list',
  ])
  for (const name of names) {
    const help = await typed([...name.split(' '), '--help'], {})
    expect([help.code, help.err]).toEqual([0, ''])
    expect(help.out).toContain(`npm run pantry -- ${name}`)
    expect(help.out).toContain('--json')
  }
  expect((await typed(['cart', '--help'], {})).out).not.toContain('mails')
  for (const [args, says] of [
    [[], 'npm run pantry'],
    [['cart'], '"cart" is no command'],
    [['dance'], '"dance" is no command'],
    [['cart', 'show'], 'EMAIL is missing'],
    [['cart', 'show', 'a', 'b'], '"b" is too much'],
    [['webhooks', 'list', '--state', 'odd'], '--state takes one of waiting'],
    [['cancel-events', '--last', '0'], '--last takes a number'],
    [['cancel-events', '--first', '1'], '--first'],
  ] as const) {
    const { code, out, err } = await typed(args)
    expect([args, code, out]).toEqual([args, 2, ''])
    expect(err).toContain(says)
  }
})
