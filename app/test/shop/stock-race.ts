import { isDeepStrictEqual } from 'node:util'
import pg from 'pg'
import { until } from '../../../safepoint/test/support/until.ts'
import { findUnbalanced } from '../checkout/read-facts.ts'
import { stockGoods, type Goods, type Reply } from '../checkout/shopper.ts'
import { demand, newCustomer, type Customer } from './people.ts'
import { payOnPage } from './pay-page.ts'
import { readBooks } from './read-books.ts'
import { startShop, type Shop } from './start-shop.ts'

/** `card`: order, then confirm with a saved card. `page`: order and payment in one, paid on the gateway's page. */
export type Way = 'card' | 'page'

export interface StockRace {
  readonly way: Way
  readonly buyers: number
  readonly orders: number
  readonly refusals: number
  readonly charges: number
  /** Milliseconds from the first request to the last answer. */
  readonly milliseconds: number
  /** What is not as promised, in words. */
  readonly wrong: readonly string[]
}

export interface DoubleClick {
  readonly way: Way
  readonly clicks: number
  readonly orders: number
  readonly charges: number
  readonly wrong: readonly string[]
}

interface Ready {
  readonly customer: Customer
  readonly cartId: string
  readonly total: { readonly amount: number; readonly currency: string }
}

/** Two server processes and a gateway, and what buyers do to them at once. */
export async function openStockRace({ databaseUrl }: { readonly databaseUrl: string }) {
  const shop = await startShop({ databaseUrl, servers: 2, gateways: ['stripe'] })
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 2 })
  const at = (n: number) => shop.urls[n % shop.urls.length]!
  const people: Customer[] = []
  const crowd = async (size: number): Promise<readonly Customer[]> => {
    while (people.length < size) {
      const more = Math.min(8, size - people.length)
      people.push(...(await Promise.all(Array.from({ length: more }, (_, n) => newCustomer(at(n))))))
    }
    return people.slice(0, size)
  }

  /** A cart with one of it, and nothing else. */
  async function fill(customer: Customer, { productId, variantId }: Goods, n: number): Promise<Ready> {
    await demand(customer.send(at(n), 'DELETE', '/api/cart'), 200)
    const line = { productId, variantId, quantity: 1 }
    const cart = await demand(customer.send(at(n), 'POST', '/api/cart/add', line), 200)
    return { customer, cartId: cart.id, total: cart.totalPrice }
  }

  const order = ({ customer, cartId, total }: Ready, way: Way, n: number): Promise<Reply> =>
    way === 'card'
      ? customer.send(at(n), 'POST', '/api/orders', { cartId, addressId: customer.addressId, expectedTotal: total })
      : customer.send(at(n), 'POST', '/api/payments/create-from-cart', {
          gateway: 'stripe',
          cartId,
          shippingAddress: customer.addressId,
          expectedTotal: total,
          currency: total.currency,
        })

  const confirm = ({ customer }: Ready, orderId: string, n: number): Promise<Reply> =>
    customer.send(at(n), 'POST', `/api/orders/${orderId}/confirm`, {
      gateway: 'stripe',
      paymentMethod: 'pm_card_visa',
    })

  const untilPaid = ({ customer }: Ready, orderId: string) =>
    until(
      async () => {
        const { status } = await demand(customer.send(at(0), 'GET', `/api/orders/${orderId}`), 200)
        return status === 'completed'
      },
      { timeoutMs: 20_000, intervalMs: 20, message: `order ${orderId} completed` },
    )

  /** All that is left of a variant, and all that was charged for it. */
  async function readGoods({ variantId }: Goods) {
    const { rows } = await sql.query(
      `select s.on_hand, s.reserved,
          (select sum(delta)::int from pantry.stock_movement m where m.variant_id = s.variant_id) as moved,
          array(select o.id::text from pantry.orders o join pantry.order_line l on l.order_id = o.id
            where l.variant_id = s.variant_id) as orders,
          array(select o.status from pantry.orders o join pantry.order_line l on l.order_id = o.id
            where l.variant_id = s.variant_id) as statuses,
          array(select r.state from pantry.reservation r where r.variant_id = s.variant_id) as reservations,
          array(select p.status from pantry.payment p join pantry.order_line l on l.order_id = p.order_id
            where l.variant_id = s.variant_id) as payments,
          (select count(*)::int from pantry.cart c join pantry.cart_item i on i.cart_id = c.id
            where c.state = 'active' and i.variant_id = s.variant_id) as carts
        from pantry.stock s where s.variant_id = $1`,
      [variantId],
    )
    const { byOrder } = await readBooks(shop)
    const own = new Set(rows[0].orders as string[])
    const charges = [...byOrder].filter(([id]) => own.has(id)).reduce((sum, [, taken]) => sum + taken.charges, 0)
    return { ...rows[0], charges }
  }

  return {
    /** Stock 1, everybody at once. */
    async race({ buyers, way }: { readonly buyers: number; readonly way: Way }): Promise<StockRace> {
      const goods = await stockGoods(sql, 1)
      const chargedBefore = await totalCharges(shop)
      const postsBefore = (await listPosts(shop)).at(-1)?.sequence ?? 0
      const ready = await Promise.all((await crowd(buyers)).map((customer, n) => fill(customer, goods, n)))
      const began = performance.now()
      const replies = await Promise.all(ready.map((one, n) => order(one, way, n)))
      const wrong: string[] = []
      const winners = replies.flatMap((reply, n) => (reply.status === 201 ? [{ reply, n }] : []))
      await Promise.all(
        winners.map(async ({ reply, n }) => {
          const orderId = orderIdOf(reply)
          if (way === 'card') {
            const confirmed = await confirm(ready[n]!, orderId, n + 1)
            if (confirmed.status !== 200) wrong.push(`the winner was not charged: ${confirmed.text}`)
          } else await (await payOnPage(pageOf(reply), 'pay'))?.()
          await untilPaid(ready[n]!, orderId)
        }),
      )
      const milliseconds = performance.now() - began
      const refusals = replies.filter((reply) => isClear(reply, goods)).length
      const claim = (holds: boolean, what: string) => void (holds || wrong.push(what))
      claim(winners.length === 1, `${winners.length} orders were placed`)
      for (const reply of replies.filter(({ status }) => status !== 201))
        claim(isClear(reply, goods), `not a clear refusal: ${reply.status} ${reply.text}`)
      const book = await readGoods(goods)
      claim(book.on_hand === 0 && book.reserved === 0 && book.moved === 0, `stock is ${JSON.stringify(book)}`)
      claim(isDeepStrictEqual(book.statuses, ['completed']), `orders are ${book.statuses.join(', ')}`)
      claim(isDeepStrictEqual(book.reservations, ['booked']), `reservations are ${book.reservations.join(', ')}`)
      claim(isDeepStrictEqual(book.payments, ['captured']), `payments are ${book.payments.join(', ')}`)
      claim(book.charges === 1, `${book.charges} charges for one piece`)
      const charged = (await totalCharges(shop)) - chargedBefore
      claim(charged === 1, `${charged} charges in all`)
      const { length: posts } = await listPosts(shop, postsBefore)
      claim(posts === 1, `the gateway was asked for money ${posts} times`)
      claim(book.carts === buyers - 1, `${book.carts} of the ${buyers - 1} who came too late have it in their carts`)
      wrong.push(...(await findUnbalanced(sql)))
      return { way, buyers, orders: winners.length, refusals, charges: charged, milliseconds, wrong }
    },

    /** One customer presses the button several times at once, each press under a key of its own. */
    async doubleClick({ clicks, way }: { readonly clicks: number; readonly way: Way }): Promise<DoubleClick> {
      // As many as would be needed if each press were an order.
      const goods = await stockGoods(sql, clicks)
      const [customer] = await crowd(1)
      const ready = await fill(customer!, goods, 0)
      const wrong: string[] = []
      const claim = (holds: boolean, what: string) => void (holds || wrong.push(what))
      const replies = await Promise.all(Array.from({ length: clicks }, (_, n) => order(ready, way, n)))
      for (const { status, text } of replies)
        claim(status === 200 || status === 201, `a press was told ${status} ${text}`)
      claim(replies.filter(({ status }) => status === 201).length === 1, 'not one press made the order')
      const answered = replies.filter(({ status }) => status < 300)
      const orders = new Set(answered.map(orderIdOf))
      claim(orders.size === 1, `${orders.size} orders`)
      const [orderId] = orders
      if (orderId !== undefined && way === 'card') {
        await Promise.all(
          Array.from({ length: clicks }, async (_, n) => {
            // While the first one's charge is under way the others are told so, and to come again.
            await until(
              async () => {
                const { status, body, text } = await confirm(ready, orderId, n)
                if (status === 200) return true
                if (body?.code !== 'conflict' || body.retryable !== true) throw new Error(`told ${status} ${text}`)
                return false
              },
              { timeoutMs: 20_000, intervalMs: 50, message: 'confirmed' },
            )
          }),
        )
      } else if (orderId !== undefined) {
        const pages = new Set(answered.map((reply) => pageOf(reply).url))
        claim(pages.size === 1, `${pages.size} pages`)
        claim(new Set(answered.map(({ body }) => body.paymentId)).size === 1, 'more than one payment')
        const back = await Promise.all(Array.from({ length: clicks }, () => payOnPage(pageOf(answered[0]!), 'pay')))
        await Promise.all(back.map(async (go) => go?.()))
        await untilPaid(ready, orderId)
      }
      const book = await readGoods(goods)
      claim(book.orders.length === 1, `${book.orders.length} orders in the database`)
      claim(book.charges === 1, `${book.charges} charges`)
      claim(book.on_hand === clicks - 1 && book.reserved === 0, `stock is ${book.on_hand}, ${book.reserved} reserved`)
      wrong.push(...(await findUnbalanced(sql)))
      return { way, clicks, orders: book.orders.length, charges: book.charges, wrong }
    },

    output: shop.output,
    async close() {
      await shop.stop()
      await sql.end()
    },
  }
}

const orderIdOf = ({ body }: Reply): string => body.orderId ?? body.id

const pageOf = ({ body }: Reply) => ({ gateway: 'stripe', url: body.checkout?.url as string })

/** 409, final, and with what can still be had. */
function isClear({ status, body, headers }: Reply, { variantId }: Goods): boolean {
  const [item] = body?.items ?? []
  return (
    status === 409 &&
    headers.get('content-type')!.startsWith('application/problem+json') &&
    body.code === 'out_of_stock' &&
    body.retryable === false &&
    body.items.length === 1 &&
    item.variantId === variantId &&
    item.requested === 1 &&
    item.available === 0
  )
}

async function totalCharges(shop: Shop): Promise<number> {
  return [...(await readBooks(shop)).byOrder.values()].reduce((sum, { charges }) => sum + charges, 0)
}

interface Call {
  readonly sequence: number
  readonly method: string
}

/** What was asked of the gateway that could take money: a charge, or a page to pay on. */
async function listPosts(shop: Shop, after = 0): Promise<readonly Call[]> {
  const { calls } = await shop.gateways.stripe!<{ calls: readonly Call[] }>('GET', `/calls?after=${after}`)
  return calls.filter(({ method }) => method === 'POST')
}
