import type { Client, PendingRequest, Problem, Verdict } from 'safepoint/client'
import {
  countUndone,
  readCharge,
  readLeftOpen,
  type CheckoutStage,
  type CheckoutState,
  type LeftOpen,
  type PlacedOrder,
  type Told,
} from './checkout-state.ts'
import { readConfirmed, readPlaced, readReleased, readUndone } from './checkout-verdicts.ts'
import type { CartManager } from './cart-manager.ts'
import { createHeldOrder } from './held-order.ts'
import type { Confirmation, CreatedPayment, Money, Order, PaymentPage } from './model.ts'
import { problemOf } from './problem-of.ts'
import { randomId } from './random-id.ts'

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
  /**
   * Takes up what a reload, a crash or a closed tab left open, under the same keys. `recall: false` leaves an order that is
   * merely set aside alone: the page shows it by itself.
   */
  open(options?: { readonly recall?: boolean }): Promise<void>
}

/** The statuses of an order for which nothing is charged, and nothing on its way. */
const unpaid: readonly string[] = ['pending', 'awaiting_payment', 'failed']

type Sending<T> = Promise<Verdict<T> | undefined>

/**
 * Two operations under two keys: `place` sets the goods aside, `confirm` charges. The client keeps each key before it
 * sends anything, so that every end, also one that a reload interrupts, comes to a verdict under the same key.
 */
export function createCheckout(options: CheckoutOptions): Checkout {
  const { client, cart, store, account, askAgainAfter = 4_000, wantedFor = 600_000 } = options
  const held = createHeldOrder({ store, account })
  const listeners = new Set<() => void>()
  let state: CheckoutState = { status: 'idle' }
  let cancelAsked = false
  let opening: Promise<void> | undefined
  let stop: () => void = () => {}

  const set = (next: CheckoutState) => {
    state = next
    for (const listener of listeners) listener()
  }
  const tell = (told: Told, key: string, order?: PlacedOrder) =>
    set({ status: 'told', told, key, ...(order && { order }) })

  function begin(stage: CheckoutStage, order?: PlacedOrder) {
    cancelAsked = false
    const controller = new AbortController()
    stop = () => controller.abort('user_cancel')
    const onKey = (key: string) => set({ status: 'running', stage, key, cancelAsked: false, ...(order && { order }) })
    return { signal: controller.signal, onKey }
  }

  /** A picture of the steps as they go: it decides nothing, and its failure changes nothing. */
  async function follow(key: string, until: AbortSignal): Promise<void> {
    try {
      for await (const view of client.watch(key, { signal: until })) {
        if (until.aborted || !('key' in state) || state.key !== key) return
        if (state.status === 'running') set({ ...state, view })
        else if (state.told.kind === 'undoing') set({ ...state, told: { kind: 'undoing', ...countUndone(view) } })
      }
    } catch {
      // The verdict arrives without it.
    }
  }

  /** Goes on until the verdict is one. Undefined: another tab has brought the request to its end. */
  async function settle<T>(
    key: string,
    sending: Sending<T>,
    again?: () => Sending<T>,
    order?: PlacedOrder,
  ): Sending<T> {
    const ended = new AbortController()
    void follow(key, ended.signal)
    try {
      let verdict = await sending
      while (verdict?.outcome === 'undoing' || verdict?.outcome === 'unknown') {
        if (verdict.outcome === 'undoing') {
          tell({ kind: 'undoing', undone: 0, total: 0 }, key, order)
          verdict = await verdict.settled
          continue
        }
        await untilAskedAgain()
        verdict = await (again ?? verdict.retry)()
      }
      return verdict
    } finally {
      ended.abort()
    }
  }

  function untilAskedAgain(): Promise<void> {
    return new Promise((resolve) => {
      const askNow = () => {
        clearTimeout(timer)
        if (state.status === 'running') {
          const { askNow: _, ...rest } = state
          set(rest)
        }
        resolve()
      }
      const timer = setTimeout(askNow, askAgainAfter)
      if (state.status === 'running') set({ ...state, askNow })
    })
  }

  async function endPlacing(verdict: Verdict<Order> | undefined): Promise<Order | undefined> {
    const read = verdict && readPlaced(verdict)
    if (verdict === undefined || read === undefined) await recall()
    else if ('told' in read) tell(read.told, verdict.key)
    else {
      held.keep(read.made)
      if (!cancelAsked) return read.made
      await release(read.made)
    }
    return undefined
  }

  async function endConfirming(verdict: Verdict<Confirmation> | undefined, order: PlacedOrder): Promise<void> {
    if (verdict === undefined) return recall()
    const { told, order: now, settled, page } = readConfirmed(verdict, { order, cancelAsked })
    if (settled) held.forget()
    if (page) return goToPage(page, order)
    if (told.kind !== 'cancelled') return tell(told, verdict.key, now)
    const charge = await client.find(verdict.key).then(readCharge, () => told.charge)
    tell({ ...told, charge }, verdict.key, now)
    // Already told, and true whatever becomes of this: an unpaid order expires by itself.
    const { outcome } = await postRelease(order)
    const released = outcome === 'succeeded' || outcome === 'too_late'
    if (released) held.forget()
    // Where the verdict was read and put away, it does not come back for the basket's sake.
    if (state.status === 'idle') set(state)
    else tell({ kind: 'cancelled', charge, basket: released ? 'returned' : 'set-aside' }, verdict.key, order)
  }

  /** Nothing is charged before the customer pays there; who wanted to cancel gets the goods back into the basket. */
  async function goToPage(page: PaymentPage, order: PlacedOrder): Promise<void> {
    if (cancelAsked) return release(order)
    set(page.url === null ? { status: 'held', order } : { status: 'leaving', page, order })
  }

  /** Order, payment and the gateway's page in one operation. */
  async function openPage({ way, addressId, expectedTotal }: PayInput): Promise<void> {
    const key = randomId()
    const { signal, onKey } = begin('opening')
    onKey(key)
    const sending = cart.beginCheckout(
      { gateway: way.gateway, shippingAddress: addressId, expectedTotal },
      { key, signal },
    )
    try {
      await endOpening(await settle(key, sending), (made) =>
        goToPage(made.checkout, { id: made.orderId, total: expectedTotal }),
      )
    } catch (error) {
      // Refused before anything was sent.
      tell({ kind: 'refused', problem: problemOf(error) ?? unreachable }, key)
    }
  }

  async function endOpening(
    verdict: Verdict<CreatedPayment> | undefined,
    goOn: (made: CreatedPayment) => Promise<void> | void,
  ): Promise<void> {
    if (verdict === undefined) return recall()
    const read = readPlaced(verdict)
    if ('told' in read) return tell(read.told, verdict.key)
    held.keep({ id: read.made.orderId })
    return cancelAsked ? release({ id: read.made.orderId }) : goOn(read.made)
  }

  function confirm(order: PlacedOrder, way: PayWay): Promise<void> {
    const { signal, onKey } = begin('confirming', order)
    const path = `/api/orders/${order.id}/confirm`
    const sending = client.post<Confirmation>(path, way, { signal, onKey })
    return settle(runningKey(), sending, undefined, order).then((verdict) => endConfirming(verdict, order))
  }

  const postRelease = (order: PlacedOrder, onKey?: (key: string) => void) =>
    client.post(`/api/orders/${order.id}/cancel`, {}, { ...(onKey && { onKey }) })

  function release(order: PlacedOrder): Promise<void> {
    const { onKey } = begin('releasing', order)
    const sending = postRelease(order, onKey)
    const key = runningKey()
    return sending.then((verdict) => endReleasing(verdict, order, key))
  }

  async function endReleasing(verdict: Verdict | undefined, order: PlacedOrder, key: string): Promise<void> {
    if (verdict === undefined) return recall()
    const told = readReleased(verdict)
    if (told.kind === 'cancelled' && told.basket === 'returned') held.forget()
    tell(told, key, order)
  }

  async function endUndoing(verdict: Verdict | undefined, undoneKey: string, order?: PlacedOrder): Promise<void> {
    if (verdict !== undefined) return tell(readUndone(verdict), undoneKey, order)
    const view = await client.find(undoneKey)
    tell('undone' in view ? { kind: 'refunded' } : { kind: 'ordered', late: false }, undoneKey, order)
  }

  /** The key of what was just begun: the client tells it before its first await. */
  function runningKey(): string {
    if (state.status !== 'running') throw new Error('nothing was begun')
    return state.key
  }

  async function takeUp(request: PendingRequest, left: LeftOpen): Promise<void> {
    const { key } = request
    const again = async <T>() => (await client.resume({ only: (one) => one.key === key }))[0] as Verdict<T> | undefined
    if (left.part === 'undo') {
      tell({ kind: 'refunding' }, left.undoneKey)
      return endUndoing(await settle(key, again(), again), left.undoneKey)
    }
    if (left.part === 'place') {
      await rejoin(request, 'placing')
      const placed = await endPlacing(await settle<Order>(key, again(), again))
      // Not charged without a press of the button on this page.
      return placed && set({ status: 'held', order: placed })
    }
    if (left.part === 'open') {
      await rejoin(request, 'opening')
      // Nobody is sent to another page without a press of the button on this one.
      const hold = ({ orderId: id }: CreatedPayment) => set({ status: 'held', order: { id } })
      return endOpening(await settle<CreatedPayment>(key, again(), again), hold)
    }
    const known = held.read()
    const order: PlacedOrder = known?.id === left.orderId ? known : { id: left.orderId }
    await rejoin(request, left.part === 'confirm' ? 'confirming' : 'releasing', order)
    if (left.part === 'release') return endReleasing(await settle(key, again(), again, order), order, key)
    return endConfirming(await settle<Confirmation>(key, again(), again, order), order)
  }

  /** Running again, but without the signal of the page that sent it: a cancel goes by the key. */
  async function rejoin(
    { key, createdAt, cancel }: PendingRequest,
    stage: CheckoutStage,
    order?: PlacedOrder,
  ): Promise<void> {
    begin(stage, order).onKey(key)
    const cancelByKey = (reason: string) => client.cancel(key, { reason }).catch(() => {})
    stop = () => void cancelByKey('user_cancel')
    cancelAsked = cancel !== undefined
    if (stage === 'confirming' && !cancelAsked && Date.now() - Date.parse(createdAt) > wantedFor) {
      cancelAsked = true
      await cancelByKey('no_longer_wanted')
    }
    if (state.status === 'running') set({ ...state, cancelAsked })
  }

  async function takeUpAll(recalls: boolean): Promise<void> {
    if (state.status !== 'idle' || account() === undefined) return
    let found = false
    for (const request of await client.pending()) {
      const left = readLeftOpen(request.path)
      if (left === undefined) continue
      found = true
      await takeUp(request, left)
    }
    if (!found && recalls && state.status === 'idle') await recall()
  }

  /** An order set aside before, here or in another tab: what the server says of it now is what is shown. */
  async function recall(): Promise<void> {
    const known = held.read()
    const order = known && (await client.get<Order>(`/api/orders/${known.id}`).catch(() => undefined))
    if (order && unpaid.includes(order.status)) return set({ status: 'held', order })
    if (order?.status === 'completed' || order?.status === 'cancelled') held.forget()
    if (state.status === 'running') set({ status: 'idle' })
  }

  async function letGo(order: PlacedOrder): Promise<void> {
    // Cancelling an order that was paid in another tab meanwhile would be a refund, and that is not what was asked for.
    const now = await client.get<Order>(`/api/orders/${order.id}`).catch(() => undefined)
    if (now !== undefined && !unpaid.includes(now.status) && now.status !== 'cancelled')
      return set({ status: 'told', told: { kind: 'busy' }, order })
    return release(order)
  }

  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    pay({ way, ...input }) {
      if (state.status === 'running') return
      if (way.paymentMethod === undefined) return void openPage({ way, ...input })
      const { signal, onKey } = begin('placing')
      const sending = client.post<Order>('/api/orders', input, { signal, onKey })
      void settle(runningKey(), sending)
        .then(endPlacing)
        .then((order) => order && confirm(order, way))
    },
    payHeld(way) {
      if (state.status !== 'running' && 'order' in state && state.order) void confirm(state.order, way)
    },
    letGo() {
      if (state.status !== 'running' && 'order' in state && state.order) void letGo(state.order)
    },
    cancel() {
      if (state.status !== 'running' || state.cancelAsked) return
      cancelAsked = true
      const { askNow } = state
      set({ ...state, cancelAsked })
      stop()
      askNow?.()
    },
    undo() {
      if (state.status !== 'told' || state.told.kind !== 'ordered') return
      const { key, order } = state
      if (key === undefined) return
      tell({ kind: 'refunding' }, key, order)
      void settle(key, client.undo(key)).then((verdict) => endUndoing(verdict, key, order))
    },
    hold(order) {
      if (state.status === 'running') return
      held.keep(order)
      set({ status: 'held', order })
    },
    dismiss() {
      if (state.status !== 'running') set({ status: 'idle' })
    },
    open({ recall: recalls = true } = {}) {
      opening ??= takeUpAll(recalls).finally(() => (opening = undefined))
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
