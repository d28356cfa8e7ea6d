import type { Client, Problem } from 'safepoint/client'
import type { CartManager } from './cart-manager.ts'
import { createCheckoutEndings } from './checkout-endings.ts'
import { createCheckoutRun } from './checkout-run.ts'
import type { CheckoutState, PlacedOrder } from './checkout-state.ts'
import { createHeldOrder } from './held-order.ts'
import type { Confirmation, Money, Order } from './model.ts'
import { problemOf } from './problem-of.ts'
import { randomId } from './random-id.ts'
import { takeUpCheckout } from './take-up-checkout.ts'

export interface CheckoutOptions {
  readonly client: Pick<Client, 'get' | 'post' | 'find' | 'cancel' | 'undo' | 'watch' | 'pending' | 'resume'>
  readonly cart: Pick<CartManager, 'beginCheckout'>
  /** Remembers the order that is set aside over a reload; `localStorage` fits. */
  readonly store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  /** Whose checkout it is: what one person left open is never shown to another. */
  readonly account: () => string | undefined
  /** Milliseconds before an unanswered request is asked about again. Default 4 000. */
  readonly askAgainAfter?: number
  /** Milliseconds after which a payment that was left open is cancelled instead of taken up. Default 10 minutes. */
  readonly wantedFor?: number
}

/** With `paymentMethod` a saved one is charged; without it the customer pays on the gateway's own page. */
export interface PayWay {
  readonly gateway: string
  readonly paymentMethod?: string
}

export interface PayInput {
  readonly cartId: string
  readonly expectedTotal: Money
  readonly addressId: string
  readonly way: PayWay
}

/** A checkout from the press of the button to a verdict, free of any framework. See {@link createCheckout}. */
export interface Checkout {
  readonly state: () => CheckoutState
  readonly subscribe: (listener: () => void) => () => void
  /** Places the order, and confirms it or opens the gateway's page. While a checkout runs this does nothing: tapping twice is tapping once. */
  pay(input: PayInput): void
  /** Confirms the order that is set aside. */
  payHeld(way: PayWay): void
  /** Lets the order that is set aside go: its goods return to the cart. */
  letGo(): void
  /** Asks for the running checkout to be cancelled; what that came to is told in `state`. */
  cancel(): void
  /** Undoes the order that went through: the refund. */
  undo(): void
  /** Shows an order that is set aside and unpaid, to be paid or let go. */
  hold(order: PlacedOrder): void
  /** Back to the shop. */
  dismiss(): void
  /** The order that was set aside last on this device, whatever has become of it elsewhere. */
  readonly setAside: () => PlacedOrder | undefined
  /**
   * Takes up what a reload, a crash or a closed tab left open, under the same keys. `recall: false` leaves an order that is
   * merely set aside alone: the page shows it by itself. While a checkout runs, asks at once about what had no answer.
   */
  open(options?: { readonly recall?: boolean }): Promise<void>
}

/**
 * Two operations under two keys: `place` sets the goods aside, `confirm` charges. The client keeps each key before it
 * sends anything, so that every end, also one that a reload interrupts, comes to a verdict under the same key.
 */
export function createCheckout(options: CheckoutOptions): Checkout {
  const { client, cart, store, account, askAgainAfter = 4_000, wantedFor = 600_000 } = options
  const held = createHeldOrder({ store, account })
  const run = createCheckoutRun({ client, askAgainAfter })
  const endings = createCheckoutEndings({ client, run, held })
  let opening: Promise<void> | undefined

  async function place({ way, ...input }: PayInput): Promise<void> {
    const sending = client.post<Order>('/api/orders', input, run.begin('placing'))
    const order = await endings.placed(await run.settle(run.key(), sending))
    if (order) await confirm(order, way)
  }

  async function confirm(order: PlacedOrder, way: PayWay): Promise<void> {
    const path = `/api/orders/${order.id}/confirm`
    const sending = client.post<Confirmation>(path, way, run.begin('confirming', order))
    return endings.confirmed(await run.settle(run.key(), sending, undefined, order), order)
  }

  /** Order, payment and the gateway's page in one operation. */
  async function openPage({ way, addressId, expectedTotal }: PayInput): Promise<void> {
    const key = randomId()
    const { signal, onKey } = run.begin('opening')
    onKey(key)
    const input = { gateway: way.gateway, shippingAddress: addressId, expectedTotal }
    try {
      const verdict = await run.settle(key, cart.beginCheckout(input, { key, signal }))
      await endings.opened(verdict, ({ checkout, orderId }) =>
        endings.goToPage(checkout, { id: orderId, total: expectedTotal }),
      )
    } catch (error) {
      // Refused before anything was sent.
      run.tell({ kind: 'refused', problem: problemOf(error) ?? unreachable }, key)
    }
  }

  async function takeUpAll(recalls: boolean): Promise<void> {
    const state = run.state()
    if (state.status === 'running') return state.askNow?.()
    if (state.status !== 'idle' || account() === undefined) return
    const found = await takeUpCheckout({ client, run, endings, held, wantedFor })
    if (!found && recalls && run.state().status === 'idle') await endings.recall()
  }

  /** The order that is shown, while nothing is under way with it. */
  function shownOrder(): PlacedOrder | undefined {
    const state = run.state()
    return state.status !== 'running' && 'order' in state ? state.order : undefined
  }

  return {
    state: run.state,
    subscribe: run.subscribe,
    pay(input) {
      if (run.state().status === 'running') return
      void (input.way.paymentMethod === undefined ? openPage(input) : place(input))
    },
    payHeld(way) {
      const order = shownOrder()
      if (order) void confirm(order, way)
    },
    letGo() {
      const order = shownOrder()
      if (order) void endings.letGo(order)
    },
    cancel: run.cancel,
    undo() {
      const state = run.state()
      if (state.status !== 'told' || state.told.kind !== 'ordered' || state.key === undefined) return
      const { key, order } = state
      run.tell({ kind: 'refunding' }, key, order)
      void run.settle(key, client.undo(key)).then((verdict) => endings.undone(verdict, key, order))
    },
    hold(order) {
      if (run.state().status === 'running') return
      held.keep(order)
      run.set({ status: 'held', order })
    },
    dismiss() {
      if (run.state().status !== 'running') run.set({ status: 'idle' })
    },
    setAside: held.read,
    open({ recall = true } = {}) {
      opening ??= takeUpAll(recall).finally(() => (opening = undefined))
      return opening
    },
  }
}

/** The cart could not be read, and so nothing was sent. */
const unreachable: Problem = {
  type: 'about:blank',
  title: 'No answer',
  status: 0,
  code: 'unreachable',
  retryable: true,
}
