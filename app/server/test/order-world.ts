import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { pino } from 'pino'
import { uuidv7, type Safepoint, type SqlTransaction } from 'safepoint'
import { afterAll } from 'vitest'
import { testDatabase } from '../../../safepoint/test/support/database.ts'
import { startStripeSimulator, type StripeSimulator } from '../../simulators/stripe/start-stripe-simulator.ts'
import { scopeOf } from '../accounts/accounts.ts'
import { buildApp } from '../app.ts'
import { compose, jobNames, type Composed, type Parts } from '../compose.ts'
import { openDatabase } from '../database.ts'
import { createJobs, type Jobs } from '../jobs.ts'
import { readOfferedGateways } from '../payments/offered-gateways.ts'

export interface Customer {
  readonly accountId: string
  readonly addressId: string
  readonly scope: string
}

export interface SoldVariant {
  readonly productId: string
  readonly variantId: string
  readonly price: number
}

export interface OrderWorld {
  readonly url: string
  readonly composed: Composed
  readonly safepoint: Safepoint<SqlTransaction>
  readonly operations: Composed['operations']['orders'] &
    Composed['operations']['cart'] &
    Composed['operations']['addresses'] &
    Composed['operations']['wishlist'] &
    Composed['operations']['accounts'] &
    Composed['operations']['catalog'] &
    Composed['operations']['inventory']
  readonly stripe: StripeSimulator
  readonly jobs: Jobs
  readonly sql: <Row = Record<string, any>>(text: string, values?: readonly unknown[]) => Promise<Row[]>
  /** The same on the same database, as another process would be. */
  another(parts?: Partial<Parts>): Promise<Composed>
  /** Serves it over HTTP, and answers where. */
  listen(): Promise<string>
  newCustomer(): Promise<Customer>
  newVariant(stock: number, price?: number): Promise<SoldVariant>
  addToCart(customer: Customer, variant: SoldVariant, quantity?: number): Promise<{ readonly id: string }>
}

const credentials = { secretKey: 'sk_test_orders', webhookSecret: 'whsec_orders' }

/** The shop on a database of the test file's own, with the engine, the job queue and a Stripe that speaks HTTP. */
export async function orderWorld({
  hold,
  ...given
}: { readonly hold?: number } & Partial<Parts> = {}): Promise<OrderWorld> {
  const { url } = await testDatabase({ template: 'app' })
  const outside = new pg.Pool({ connectionString: url, max: 4 })
  const stripe = await startStripeSimulator(credentials)
  const gateways = readOfferedGateways({}, { stripe: { baseUrl: stripe.url, ...credentials } })
  const log = pino({ level: 'silent' })
  const jobs = createJobs({ url, names: jobNames, log, pollSeconds: 0.5 })
  await jobs.start()

  const opened: Array<() => Promise<void>> = []
  const open = async (parts: Partial<Parts> = {}): Promise<Composed> => {
    const { database, announcements } = openDatabase({ url, max: 30 })
    const composed = compose({
      database,
      announcements,
      gateways,
      currency: 'INR',
      jwtSecret: 'a secret of the tests, of forty-eight bytes or so',
      enqueue: jobs.enqueue,
      publicUrl: () => 'http://127.0.0.1:44000',
      log,
      engine: { poll: 100, lease: 2000 },
      ...(hold !== undefined && { orders: { hold } }),
      ...given,
      ...parts,
    })
    const { safepoint } = composed.pantry
    await safepoint.start()
    opened.push(async () => {
      await safepoint.stop({ grace: 1000 })
      await database.close()
    })
    return composed
  }
  const composed = await open()
  const { safepoint } = composed.pantry
  const { cart, orders, addresses, wishlist, accounts, catalog, inventory } = composed.operations
  const operations = { ...cart, ...orders, ...addresses, ...wishlist, ...accounts, ...catalog, ...inventory }
  afterAll(async () => {
    stripe.faults.clear()
    await jobs.stop(0)
    await Promise.all(opened.map((close) => close()))
    await stripe.close()
    await outside.end()
  })

  const sql: OrderWorld['sql'] = async (text, values = []) => (await outside.query(text, values as unknown[])).rows
  return {
    url,
    composed,
    safepoint,
    operations,
    stripe,
    jobs,
    sql,
    another: open,
    async listen() {
      const app = await buildApp({ composed, log })
      const origin = await app.listen({ host: '127.0.0.1', port: 0 })
      opened.unshift(() => app.close())
      return origin
    },
    async newCustomer() {
      const accountId = uuidv7()
      const addressId = uuidv7()
      const email = `${accountId}@example.com`
      await sql('insert into pantry.account (id, email, email_key, name, password_hash) values ($1, $2, $2, $3, $4)', [
        accountId,
        email,
        'Test',
        '-',
      ])
      await sql(
        `insert into pantry.address (id, account_id, name, line1, city, postal_code, country) values ($1, $2, 'Test', '1 Road', 'Pune', '411001', 'IN')`,
        [addressId, accountId],
      )
      return { accountId, addressId, scope: scopeOf(accountId) }
    },
    async newVariant(stock, price = 12_500) {
      const productId = uuidv7()
      const variantId = uuidv7()
      await sql(
        `insert into pantry.product (id, slug, name, description, category, image, price_amount, currency,
           energy_kcal, protein_g, carbohydrate_g, sugar_g, fat_g, fibre_g, salt_g)
         values ($1::uuid, $1::uuid::text, 'Rice', 'Rice.', 'grains', '/images/grains.svg', $2, 'INR', 350, 7, 78, 0, 1, 1, 0)`,
        [productId, price],
      )
      await sql(
        `insert into pantry.variant (id, product_id, sku, name, position, content_g) values ($1::uuid, $2::uuid, $1::uuid::text, '1 kg', 0, 1000)`,
        [variantId, productId],
      )
      await sql('insert into pantry.stock (variant_id, on_hand) values ($1, $2)', [variantId, stock])
      await sql(
        `insert into pantry.stock_movement (id, variant_id, delta, reason) select $1::uuid, $2::uuid, $3::int, 'delivery' where $3::int <> 0`,
        [uuidv7(), variantId, stock],
      )
      return { productId, variantId, price }
    },
    async addToCart({ scope }, { productId, variantId }, quantity = 1) {
      const answer = await safepoint.run(
        operations.addCartItem,
        { productId, variantId, quantity },
        { scope, key: randomUUID() },
      )
      if (answer.outcome !== 'succeeded') throw new Error(`nothing was added: ${answer.outcome}`)
      return { id: answer.result.id }
    },
  }
}

/** An order placed from a cart of one line. */
export async function placeOne(world: OrderWorld, { stock = 5, quantity = 2, price = 12_500 } = {}) {
  const customer = await world.newCustomer()
  const variant = await world.newVariant(stock, price)
  await world.addToCart(customer, variant, quantity)
  const answer = await world.safepoint.run(
    world.operations.placeOrder,
    { addressId: customer.addressId },
    { scope: customer.scope, key: 'place' },
  )
  if (answer.outcome !== 'succeeded') throw new Error(`no order was placed: ${answer.outcome}`)
  return { customer, variant, order: answer.result }
}

/** What the database says of one order, its money and its stock. */
export async function bookOf(world: OrderWorld, orderId: string) {
  const [order] = await world.sql('select status, reason, fulfilment, closing_by from pantry.orders where id = $1', [
    orderId,
  ])
  const payments = await world.sql(
    'select gateway, status, decline_code from pantry.payment where order_id = $1 order by id',
    [orderId],
  )
  const stock = await world.sql(
    `select s.on_hand, s.reserved, (select sum(delta)::int from pantry.stock_movement m where m.variant_id = s.variant_id) as moved
     from pantry.order_line l join pantry.stock s using (variant_id) where l.order_id = $1 order by l.position`,
    [orderId],
  )
  const history = await world.sql(
    'select to_status as "to", reason from pantry.order_history where order_id = $1 order by seq',
    [orderId],
  )
  const mails = await world.sql(`select template from pantry.mail where data->>'orderId' = $1`, [orderId])
  const net = world.stripe.book.net('order')[orderId]
  return {
    status: order!.status as string,
    reason: order!.reason as string,
    closing: order!.closing_by !== null,
    payments: payments.map(({ status }) => status as string),
    stock: stock as { on_hand: number; reserved: number; moved: number }[],
    history: history.map(({ to }) => to as string),
    /** Receipts. */
    mails: mails.filter(({ template }) => template === 'receipt').length,
    mailed: mails.map(({ template }) => template as string).toSorted(),
    charges: net?.charges ?? 0,
    net: net?.net ?? 0,
  }
}
