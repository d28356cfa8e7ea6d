import { uuidv7 } from 'safepoint'
import { until } from '../../../safepoint/test/support/until.ts'
import type { Goods, Reply } from '../checkout/shopper.ts'
import { payOnPage, type OpenPage } from '../shop/pay-page.ts'
import { newCustomer, prepare } from '../shop/people.ts'
import type { GatewayName } from '../shop/start-shop.ts'

/** What a customer asks of the shop about a purchase. */
export type Asked = 'create' | 'cancel' | 'undo' | 'verify'

/** A question, and what it was told. Status 0: the connection broke, and nothing was told. */
export interface Told {
  readonly asked: Asked
  readonly status: number
  readonly body: any
  readonly text: string
}

export interface PurchaseSettings {
  /** Where the shop is reached, whichever server answers there. */
  readonly url: string
  readonly gateway: GatewayName
  readonly goods: Goods
}

export const quantity = 2

const patience = { timeoutMs: 25_000, intervalMs: 50 }

/** A customer with something in the cart, and all that he does about it under one key. */
export async function newPurchase({ url, gateway, goods }: PurchaseSettings) {
  const customer = await newCustomer(url)
  const { productId, variantId } = goods
  const line = { productId, variantId, quantity }
  const cart = await prepare((key) => customer.send(url, 'POST', '/api/cart/add', line, { key }), 200)
  const key = uuidv7()
  const told: Told[] = []
  let goBack: (() => Promise<number>) | undefined
  let paid = false

  const paths: Readonly<Record<Asked, () => string>> = {
    create: () => '/api/payments/create-from-cart',
    cancel: () => `/api/operations/${key}/cancel`,
    undo: () => `/api/operations/${key}/undo`,
    verify: () => `/api/payments/${made()?.paymentId}/verify`,
  }
  const wish = {
    gateway,
    cartId: cart.id as string,
    shippingAddress: customer.addressId,
    expectedTotal: cart.totalPrice as { amount: number; currency: string },
    currency: cart.totalPrice.currency as string,
  }

  /** Once. */
  async function ask(asked: Asked): Promise<Told> {
    const body = asked === 'create' ? wish : asked === 'verify' ? {} : undefined
    const reply: Pick<Reply, 'status' | 'body' | 'text'> = await customer
      .send(url, 'POST', paths[asked](), body, asked === 'create' ? { key } : {})
      .catch((error: unknown) => ({ status: 0, body: undefined, text: String(error) }))
    const one = { asked, status: reply.status, body: reply.body, text: reply.text }
    told.push(one)
    return one
  }

  /** What was made, as far as the customer was told: by whoever made it, or by a cancel that came too late. */
  const made = () =>
    told.find(({ asked, status }) => asked === 'create' && (status === 200 || status === 201))?.body ??
    told.find(({ asked, body }) => asked === 'cancel' && body?.outcome === 'too_late')?.body.result

  return {
    customer,
    key,
    told,
    ask,
    total: wish.expectedTotal.amount,
    /** Again and again, until the answer is final, or nobody but a human can give one. */
    insist: (asked: Asked, isStuck: () => Promise<boolean>) =>
      until(
        async () => {
          const one = await ask(asked)
          return (isFinal(one) || (await isStuck())) && one
        },
        {
          ...patience,
          message: () => `a final answer to ${asked}, and not ${told.at(-1)?.status} ${told.at(-1)?.text}`,
        },
      ),
    /** The page, where the customer has been told of it. */
    page(): OpenPage | undefined {
      const { checkout } = made() ?? {}
      return checkout && { gateway, url: checkout.url, ...(checkout.fields && { fields: checkout.fields }) }
    },
    /** Pays on it. `false`: the page takes nothing any more. */
    async pay(page: OpenPage): Promise<boolean> {
      goBack = await payOnPage(page, 'pay')
      paid ||= goBack !== undefined
      return goBack !== undefined
    },
    /** Whether the gateway's page has taken the customer's payment. */
    hasPaid: () => paid,
    /** The browser goes back to the shop. 0: nobody is there. */
    goBack: async () => (await goBack?.().catch(() => 0)) ?? 0,
  }
}

export type Purchase = Awaited<ReturnType<typeof newPurchase>>

function isFinal({ status, body }: Told): boolean {
  if (status === 0 || status === 202 || status >= 500) return false
  return status < 300 || body?.retryable !== true
}
