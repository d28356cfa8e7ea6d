import type { OperationView, Problem } from 'safepoint/client'
import type { Money, PaymentPage } from './model.ts'

/** An order as far as a checkout speaks of it; the total is not known where only the order's id outlived a reload. */
export interface PlacedOrder {
  readonly id: string
  readonly total?: Money
}

/**
 * What a person is told about a checkout, each of it true when it is shown.
 *
 * - `cancelled`: nothing was ordered, and no charge remains. `charge`: whether the bank can have seen one meanwhile. `basket`:
 *   whether the set-aside goods are back in it yet.
 * - `ordered`: paid. `late`: a cancel was asked for and came too late.
 * - `waiting`: confirmed, but the bank has not decided, or wants something of the customer first.
 * - `undoing`: the cancel was in time, and what had been started is being taken back.
 * - `busy`: another payment of the same order is on its way, or was made; in another tab, say.
 * - `declined`, `refused`: nothing was charged; an order that was placed before is still set aside.
 */
export type Told =
  | {
      readonly kind: 'cancelled'
      readonly charge: 'never_begun' | 'taken_back'
      readonly basket: 'returning' | 'returned' | 'set-aside'
    }
  | { readonly kind: 'ordered'; readonly late: boolean; readonly undoRefused?: Problem }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'undoing'; readonly undone: number; readonly total: number }
  | { readonly kind: 'refunding' }
  | { readonly kind: 'refunded' }
  | { readonly kind: 'declined'; readonly problem: Problem }
  | { readonly kind: 'refused'; readonly problem: Problem }
  | { readonly kind: 'busy' }
  | { readonly kind: 'release_refused'; readonly problem: Problem }
  | { readonly kind: 'needs_attention' }

/** `placing` sets the goods aside, `confirming` charges, `opening` makes the gateway's page, `releasing` lets the goods go. */
export type CheckoutStage = 'placing' | 'confirming' | 'opening' | 'releasing'

export interface Running {
  readonly status: 'running'
  readonly stage: CheckoutStage
  readonly key: string
  readonly order?: PlacedOrder
  readonly cancelAsked: boolean
  /** No answer came. It is asked again by itself, and at once by this. */
  readonly askNow?: () => void
  /** What the server says of it while it runs; for showing progress only. */
  readonly view?: OperationView
}

export type CheckoutState =
  | { readonly status: 'idle' }
  /** Placed and set aside, nothing charged: it can be paid or let go. */
  | { readonly status: 'held'; readonly order: PlacedOrder }
  | Running
  /** The order is set aside, and is paid on the gateway's page: whoever shows this goes there. */
  | { readonly status: 'leaving'; readonly page: PaymentPage; readonly order: PlacedOrder }
  /** `key`: of the operation that is told about; absent where none was begun. */
  | { readonly status: 'told'; readonly told: Told; readonly key?: string; readonly order?: PlacedOrder }

/** What an earlier page left open, by the request it had sent. */
export type LeftOpen =
  | { readonly part: 'place' }
  | { readonly part: 'open' }
  | { readonly part: 'confirm' | 'release'; readonly orderId: string }
  | { readonly part: 'undo'; readonly undoneKey: string }

/** Undefined for a request that belongs to no checkout. */
export function readLeftOpen(path: string): LeftOpen | undefined {
  if (path === '/api/orders') return { part: 'place' }
  if (path === '/api/payments/create-from-cart') return { part: 'open' }
  const [, orderId, verb] = /^\/api\/orders\/([^/]+)\/(confirm|cancel)$/.exec(path) ?? []
  if (orderId !== undefined) return { part: verb === 'confirm' ? 'confirm' : 'release', orderId }
  const [, undoneKey] = /^\/api\/operations\/([^/]+)\/undo$/.exec(path) ?? []
  return undoneKey === undefined ? undefined : { part: 'undo', undoneKey: decodeURIComponent(undoneKey) }
}

/** How far an undo has come. */
export function countUndone(view: OperationView): { readonly undone: number; readonly total: number } {
  const steps = view.state === 'none' ? [] : (view.steps ?? [])
  return { undone: steps.filter(({ state }) => state === 'undone' || state === 'absent').length, total: steps.length }
}

/** Whether the bank can have seen a charge of an operation that was cancelled. */
export function readCharge(view: OperationView): 'never_begun' | 'taken_back' {
  const steps = view.state === 'none' ? [] : (view.steps ?? [])
  // Each gateway's has a name of its own: `chargeStripe`.
  return steps.some(({ step }) => step.startsWith('charge')) ? 'taken_back' : 'never_begun'
}
