import pg from 'pg'
import { afterAll } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { startStripeSimulator } from '../../simulators/stripe/start-stripe-simulator.ts'
import { readOfferedGateways } from '../payments/offered-gateways.ts'
import { world, type Shopper } from '../test/world.ts'

const secrets = { secretKey: 'sk_test_closing', webhookSecret: 'whsec_closing' }

/** A shop of two servers that can be paid at, and what an account is before it is closed. */
export async function closingWorld() {
  const stripe = await startStripeSimulator(secrets)
  const shop = await world({ gateways: readOfferedGateways({}, { stripe: { baseUrl: stripe.url, ...secrets } }) })
  const second = await shop.another()
  const outside = new pg.Client({ connectionString: shop.url })
  await outside.connect()
  afterAll(async () => {
    await outside.end()
    await stripe.close()
  })

  return {
    ...shop,
    stripe,
    second,
    /** As the same person, at the other server. */
    elsewhere: (who: Shopper) => shop.sendTo(second, who.accessToken),
    isClosed: async ({ user }: Shopper): Promise<boolean> =>
      (await shop.sql('select closed_at from pantry.account where id = $1', [user.id]))[0]!.closed_at !== null,

    async newAddress({ send }: Shopper, more: object = {}): Promise<string> {
      const address = {
        name: 'Noa',
        line1: '12 Herzl St',
        city: 'Haifa',
        postalCode: '3303142',
        country: 'IL',
        ...more,
      }
      return (await send('POST', '/api/addresses', address)).body.id
    },

    async fillCart({ send }: Shopper, stock = 9) {
      const { productId, variantIds } = await shop.newProduct({ stock })
      await send('POST', '/api/cart/add', { productId, quantity: 2 })
      return { productId, variantId: variantIds[0]! }
    },

    /** Placed and not paid. */
    async placeOrder(who: Shopper, addressId: string): Promise<string> {
      const reply = await who.send('POST', '/api/orders', { addressId }, { 'idempotency-key': crypto.randomUUID() })
      if (reply.status !== 201) throw new Error(reply.text)
      return reply.body.id
    },

    async pay({ send }: Shopper, orderId: string): Promise<void> {
      const wish = { gateway: 'stripe', paymentMethod: 'pm_card_visa' }
      const headers = { 'idempotency-key': crypto.randomUUID() }
      const reply = await send('POST', `/api/orders/${orderId}/confirm`, wish, headers)
      if (reply.body.order?.status !== 'completed') throw new Error(reply.text)
    },

    /** A stock row, and how much of it is held. */
    async heldOf(variantId: string): Promise<number> {
      return (await shop.sql('select reserved from pantry.stock where variant_id = $1', [variantId]))[0]!.reserved
    },

    /** All that is left of a closed account that should not be; `{}` of one that is closed well. */
    async leftOf(accountId: string): Promise<Record<string, number>> {
      const [row] = await shop.sql<Record<string, number>>(
        `select
          (select count(*) from pantry.address where account_id = $1)::int as addresses,
          (select count(*) from pantry.wish where account_id = $1)::int as wishes,
          (select count(*) from pantry.cart c where account_id = $1 and not exists (select from pantry.orders where cart_id = c.id))::int as carts,
          (select count(*) from pantry.cart_item i join pantry.cart c on c.id = i.cart_id where c.account_id = $1)::int as lines,
          (select count(*) from pantry.password_reset where account_id = $1)::int as resets,
          (select count(*) from pantry.session where account_id = $1 and revoked_at is null)::int as sessions,
          (select count(*) from pantry.mail where account_id = $1 and (state = 'queued' or recipient not like '%.invalid'))::int as mails,
          (select count(*) from pantry.orders where account_id = $1 and status not in ('completed', 'cancelled'))::int as orders,
          (select count(*) from pantry.reservation r join pantry.orders o on o.id = r.order_id
            where o.account_id = $1 and r.state = 'held')::int as held,
          (select count(*) from pantry.account where id = $1 and (closed_at is null or password_hash <> ''))::int as open`,
        [accountId],
      )
      return Object.fromEntries(Object.entries(row!).filter(([, count]) => count > 0))
    },

    /**
     * Holds the account's row, begins one after the other, each when the one before waits for a lock, and lets them go: they meet
     * in this order.
     */
    async inTurn<T extends readonly (() => Promise<any>)[]>(
      { user }: Shopper,
      ...calls: T
    ): Promise<{ -readonly [N in keyof T]: Awaited<ReturnType<T[N]>> }> {
      await outside.query('begin')
      await outside.query('select from pantry.account where id = $1 for update', [user.id])
      const under: Promise<unknown>[] = []
      for (const call of calls) {
        under.push(call())
        await until(async () => (await waiting()) >= under.length, {
          message: () => `${under.length} wait for a lock`,
        })
      }
      await outside.query('rollback')
      return (await Promise.all(under)) as never
    },
  }

  async function waiting(): Promise<number> {
    const [row] = await shop.sql(
      `select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and application_name <> 'pantry-jobs'`,
    )
    return row!.waiting
  }
}
