import { defineOperation, refuse, transactionStep, type DurableContext, type SqlTransaction } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { releaseStock } from '../inventory/settle-reservation.ts'
import { assertOffered } from '../payments/gateway-calls.ts'
import { viewPayment } from '../payments/payments.schema.ts'
import { cancelSteps, mustFind, runCancel, type CancelSteps } from './cancel-order.ts'
import { putLinesBack } from './cart-of-order.queries.ts'
import type { ConfirmOrderOptions } from './confirm-order.ts'
import { paymentSteps, planPayment, takePlanBack, type Plan } from './confirm-steps.ts'
import { findOrderOfCart, lockOrder, moveOrder } from './orders.queries.ts'
import type { Order } from './orders.ts'
import { payCartInput, type CartPayment } from './orders.schema.ts'
import { followPlan, payOnPage, type Paying } from './pay-order.ts'
import { placeFromCart, type CartWish, type PlaceOptions } from './place-from-cart.ts'

type PayCartOptions = ConfirmOrderOptions & PlaceOptions

interface Placing {
  readonly wish: CartWish
  readonly gateway: string
  /** Of the run that asks. */
  readonly key: string
}

/** The order, whether this run has placed it, and what paying it takes. */
interface Placed {
  readonly orderId: string
  readonly placed: boolean
  readonly plan: Plan
}

/** How long a second call waits for the first one of the same cart to have its page, in milliseconds, and how often it looks. */
const patience = 8000
const lookEvery = 100

/**
 * Order and payment from the cart in one go: the order is placed, and the gateway's page, which is the confirmation, is opened.
 *
 * A browser that has left before the order is placed wanted something else. Once it is placed the run goes on to its end,
 * because the customer comes back: the same key, or the same cart, then finds the page, and an order that nobody pays expires and
 * puts its lines back.
 */
export function payCart(options: PayCartOptions) {
  const { gateways, currency, publicUrl, enqueue } = options
  return defineOperation({
    name: 'payment.create-from-cart',
    input: payCartInput,
    errors: {
      cart_empty: 'There is nothing in the cart.',
      cart_not_found: 'There is no such cart of this account.',
      address_not_found: 'There is no such address of this account.',
      cart_changed: 'The total is no longer the one that was shown.',
      out_of_stock: 'Somebody else was faster; `items` says what can still be had.',
      order_cancelled: 'This cart became an order that is cancelled; order again.',
      currency_mismatch: 'The shop, or the gateway, takes no payment in this currency.',
      payment_refused: 'The payment gateway turned the request down; nothing was taken.',
      gateway_unavailable: 'The payment gateway could not be reached; nothing was ordered.',
      not_configured: 'This payment gateway is not offered here.',
    },
    onDisconnect: 'cancel-until-first-step',
    onCancel: 'No order is made: the stock is released, the cart is as it was, and what was paid goes back.',
    undo: {
      record: ({ result }: { readonly result: CartPayment }) => ({ orderId: result.orderId }),
      steps: cancelSteps({ gateways, enqueue }),
      // A doubt about a refund stops the undo: the order stays closed, and a human looks.
      undoOrder: 'ordered',
      run: (ctx: DurableContext<SqlTransaction, CancelSteps>, recorded: { readonly orderId: string }) =>
        runCancel(ctx, enqueue, { orderId: recorded.orderId, reason: 'undone' }),
    },
    undoOrder: 'ordered',
    steps: {
      place: transactionStep<Placing, Placed>({
        run: async (tx, { wish, gateway, key }, { operationId: id, scope }) => {
          const { placed, ...found } = await placeFromCart(tx, wish, options)
          const { id: orderId } = found.order
          const request = { orderId, accountId: wish.accountId, gateway, hosted: true, key }
          const by = { id, scope, key }
          const locked = placed ? found : mustFind(await lockOrder(tx, orderId))
          return { orderId, placed, plan: await planPayment(tx, locked, request, { ...options, by }) }
        },
        undo: async (tx, { request, response }, { operationId }) => {
          const { orderId, placed, plan } = response
          await takePlanBack(tx, enqueue, { orderId, plan, by: operationId })
          if (!placed) return
          const { order } = mustFind(await lockOrder(tx, orderId))
          if (order.status !== 'awaiting_payment') return
          await moveOrder(tx, orderId, order.status, [{ to: 'cancelled', reason: 'undone' }])
          await putLinesBack(tx, request.wish.accountId, order.lines)
          await releaseStock(tx, { orderId })
        },
      }),
      ...paymentSteps(options),
    },
    async run(ctx, input) {
      const { gateway, currency: wanted, ...wish } = input
      const accountId = accountOf(ctx.scope)
      assertOffered(gateways, gateway, { currency: wanted })
      if (wanted !== currency)
        throw refuse('currency_mismatch', `This shop sells in ${currency}.`, {
          details: { currency: wanted, shop: currency },
        })
      await untilFree(ctx, accountId, wish.cartId)
      const { orderId, placed, plan } = await ctx.steps.place({ wish: { accountId, ...wish }, gateway, key: ctx.key })
      const paying: Paying<CartPayment> = {
        request: { orderId, accountId, gateway, hosted: true, key: ctx.key },
        publicUrl,
        enqueue,
        view,
      }
      if (placed) ctx.respond({ status: 201, headers: { location: `/api/orders/${orderId}` } })
      const next = await followPlan(ctx, plan, paying)
      return next.end ?? payOnPage(ctx, next.begun, paying)
    },
  })
}

/** A double click: the first call of this cart has its page in a moment, and both answer the same. */
async function untilFree(
  ctx: Pick<DurableContext<SqlTransaction, unknown>, 'read' | 'signal' | 'operationId' | 'safepoint'>,
  accountId: string,
  cartId: string | undefined,
): Promise<void> {
  if (cartId === undefined || !isId(cartId)) return
  const until = performance.now() + patience
  while (performance.now() < until) {
    const found = await ctx.read((tx) => findOrderOfCart(tx, cartId, accountId))
    const by = found?.order.payment?.handledBy
    if (by === undefined || by === ctx.operationId) return
    await new Promise((resolve) => setTimeout(resolve, lookEvery))
    ctx.safepoint()
  }
}

function view({ id: orderId, payment }: Order): CartPayment {
  if (!payment) throw new Error(`Order ${orderId} was placed to be paid and has no payment.`)
  const { id: paymentId, gateway, checkout } = viewPayment(payment)
  return { orderId, paymentId, gateway, ...(checkout && { checkout }) }
}
