import type { Client, Verdict, WriteOptions } from 'safepoint/client'
import type { CheckoutRun } from './checkout-run.ts'
import { readCharge, type PlacedOrder } from './checkout-state.ts'
import { readConfirmed, readPlaced, readReleased, readUndone } from './checkout-verdicts.ts'
import type { HeldOrder } from './held-order.ts'
import type { Confirmation, CreatedPayment, Order, PaymentPage } from './model.ts'
import { randomId } from './random-id.ts'

/** The statuses of an order for which nothing is charged, and nothing on its way. */
const unpaid: readonly string[] = ['pending', 'awaiting_payment', 'failed']

type Ended<T> = Verdict<T> | undefined

/** What follows the verdict of each of a checkout's operations; without one, another tab has brought it to its end. */
export interface CheckoutEndings {
  /** Resolves to the order where the checkout goes on with it. */
  placed(verdict: Ended<Order>): Promise<Order | undefined>
  confirmed(verdict: Ended<Confirmation>, order: PlacedOrder): Promise<void>
  /** `goOn`: what is done with the gateway's page. */
  opened(verdict: Ended<CreatedPayment>, goOn: (made: CreatedPayment) => Promise<void> | void): Promise<void>
  released(verdict: Ended<unknown>, order: PlacedOrder, key: string): Promise<void>
  undone(verdict: Ended<unknown>, undoneKey: string, order?: PlacedOrder): Promise<void>
  goToPage(page: PaymentPage, order: PlacedOrder): Promise<void>
  /** Cancels the unpaid order: its goods return to the cart. */
  release(order: PlacedOrder): Promise<void>
  /** The same of one that may have been paid elsewhere since it was shown. */
  letGo(order: PlacedOrder): Promise<void>
  /** Shows the order that was set aside before, here or in another tab: what the server says of it now is what is shown. */
  recall(): Promise<void>
}

export interface CheckoutEndingsOptions {
  readonly client: Pick<Client, 'get' | 'post' | 'find'>
  readonly run: CheckoutRun
  readonly held: HeldOrder
}

export function createCheckoutEndings({ client, run, held }: CheckoutEndingsOptions): CheckoutEndings {
  const find = (id: string) => client.get<Order>(`/api/orders/${id}`).catch(() => undefined)
  const postRelease = (order: PlacedOrder, options?: Pick<WriteOptions, 'key' | 'onKey'>) =>
    client.post(`/api/orders/${order.id}/cancel`, {}, options)

  async function recall(): Promise<void> {
    const known = held.read()
    const order = known && (await find(known.id))
    if (order && unpaid.includes(order.status)) return run.set({ status: 'held', order })
    if (order?.status === 'completed' || order?.status === 'cancelled') held.forget()
    if (run.state().status === 'running') run.set({ status: 'idle' })
  }

  async function released(verdict: Ended<unknown>, order: PlacedOrder, key: string): Promise<void> {
    if (verdict === undefined) return recall()
    const told = readReleased(verdict)
    if (told.kind === 'cancelled' && told.basket === 'returned') held.forget()
    run.tell(told, key, order)
  }

  function release(order: PlacedOrder, key = randomId()): Promise<void> {
    const { onKey } = run.begin('releasing', order)
    return postRelease(order, { key, onKey }).then((verdict) => released(verdict, order, key))
  }

  /** Nothing is charged before the customer pays there; who wanted to cancel gets the goods back into the basket. */
  async function goToPage(page: PaymentPage, order: PlacedOrder): Promise<void> {
    if (run.cancelAsked()) return release(order)
    run.set(page.url === null ? { status: 'held', order } : { status: 'leaving', page, order })
  }

  return {
    async placed(verdict) {
      const read = verdict && readPlaced(verdict)
      if (verdict === undefined || read === undefined) await recall()
      else if ('told' in read) run.tell(read.told, verdict.key)
      else {
        held.keep(read.made)
        if (!run.cancelAsked()) return read.made
        await release(read.made)
      }
      return undefined
    },

    async confirmed(verdict, order) {
      if (verdict === undefined) return recall()
      const { told, order: now, settled, page } = readConfirmed(verdict, { order, cancelAsked: run.cancelAsked() })
      if (settled) held.forget()
      if (page) return goToPage(page, order)
      if (told.kind !== 'cancelled') return run.tell(told, verdict.key, now)
      const charge = await client.find(verdict.key).then(readCharge, () => told.charge)
      run.tell({ ...told, charge }, verdict.key, now)
      // Already told, and true whatever becomes of this: an unpaid order expires by itself.
      const { outcome } = await postRelease(order)
      const returned = outcome === 'succeeded' || outcome === 'too_late'
      if (returned) held.forget()
      // Where the verdict was read and put away, it does not come back for the basket's sake.
      const state = run.state()
      if (state.status === 'idle') run.set(state)
      else run.tell({ kind: 'cancelled', charge, basket: returned ? 'returned' : 'set-aside' }, verdict.key, order)
    },

    async opened(verdict, goOn) {
      if (verdict === undefined) return recall()
      const read = readPlaced(verdict)
      if ('told' in read) return run.tell(read.told, verdict.key)
      const order = { id: read.made.orderId }
      held.keep(order)
      return run.cancelAsked() ? release(order) : goOn(read.made)
    },

    async undone(verdict, undoneKey, order) {
      if (verdict !== undefined) return run.tell(readUndone(verdict), undoneKey, order)
      const view = await client.find(undoneKey)
      run.tell('undone' in view ? { kind: 'refunded' } : { kind: 'ordered', late: false }, undoneKey, order)
    },

    async letGo(order) {
      const key = randomId()
      run.begin('releasing', order).onKey(key)
      // Cancelling an order that was paid in another tab meanwhile would be a refund, and that is not what was asked for.
      const now = await find(order.id)
      if (now !== undefined && !unpaid.includes(now.status) && now.status !== 'cancelled')
        return run.set({ status: 'told', told: { kind: 'busy' }, order })
      return release(order, key)
    },

    released,
    goToPage,
    release,
    recall,
  }
}
