import type { Client, PendingRequest, Verdict } from 'safepoint/client'
import type { CheckoutEndings } from './checkout-endings.ts'
import type { CheckoutRun } from './checkout-run.ts'
import { readLeftOpen, type CheckoutStage, type LeftOpen, type PlacedOrder } from './checkout-state.ts'
import type { HeldOrder } from './held-order.ts'
import type { Confirmation, CreatedPayment, Order } from './model.ts'

export interface TakeUpOptions {
  readonly client: Pick<Client, 'cancel' | 'pending' | 'resume'>
  readonly run: CheckoutRun
  readonly endings: CheckoutEndings
  readonly held: HeldOrder
  /** Milliseconds after which a payment that was left open is cancelled instead of taken up. */
  readonly wantedFor: number
}

/** Takes up what a reload, a crash or a closed tab left open, under the same keys. Resolves to whether there was anything. */
export async function takeUpCheckout(options: TakeUpOptions): Promise<boolean> {
  let found = false
  for (const request of await options.client.pending()) {
    const left = readLeftOpen(request.path)
    if (left === undefined) continue
    found = true
    await takeUp(options, request, left)
  }
  return found
}

async function takeUp(options: TakeUpOptions, request: PendingRequest, left: LeftOpen): Promise<void> {
  const { client, run, endings, held } = options
  const { key } = request
  const again = async <T>() => (await client.resume({ only: (one) => one.key === key }))[0] as Verdict<T> | undefined
  if (left.part === 'undo') {
    run.tell({ kind: 'refunding' }, left.undoneKey)
    return endings.undone(await run.settle(key, again(), again), left.undoneKey)
  }
  if (left.part === 'place') {
    await rejoin(options, request, 'placing')
    const placed = await endings.placed(await run.settle<Order>(key, again(), again))
    // Not charged without a press of the button on this page.
    return placed && run.set({ status: 'held', order: placed })
  }
  if (left.part === 'open') {
    await rejoin(options, request, 'opening')
    // Nobody is sent to another page without a press of the button on this one.
    const hold = ({ orderId: id }: CreatedPayment) => run.set({ status: 'held', order: { id } })
    return endings.opened(await run.settle<CreatedPayment>(key, again(), again), hold)
  }
  const known = held.read()
  const order: PlacedOrder = known?.id === left.orderId ? known : { id: left.orderId }
  await rejoin(options, request, left.part === 'confirm' ? 'confirming' : 'releasing', order)
  if (left.part === 'release') return endings.released(await run.settle(key, again(), again, order), order, key)
  return endings.confirmed(await run.settle<Confirmation>(key, again(), again, order), order)
}

/** Running again, but without the signal of the page that sent it: a cancel goes by the key. */
async function rejoin(
  { client, run, wantedFor }: TakeUpOptions,
  { key, createdAt, cancel }: PendingRequest,
  stage: CheckoutStage,
  order?: PlacedOrder,
): Promise<void> {
  const cancelByKey = (reason: string) => client.cancel(key, { reason }).catch(() => {})
  run.join(stage, key, () => void cancelByKey('user_cancel'), order)
  const isOld = Date.now() - Date.parse(createdAt) > wantedFor
  if (cancel !== undefined) run.noteCancelAsked()
  else if (stage === 'confirming' && isOld) {
    run.noteCancelAsked()
    await cancelByKey('no_longer_wanted')
  }
}
