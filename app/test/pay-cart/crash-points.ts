import type { Point } from '../../simulators/faults.ts'
import type { StatementPoint } from '../checkout/statement-proxy.ts'
import type { GatewayName } from '../shop/start-shop.ts'
import { gatewayCalls, type Call } from './gateway-calls.ts'

/**
 * What is under way when the process is killed:
 * - `create`: order and page are made from the cart.
 * - `webhook`: the page is paid, and the gateway's event arrives: it is received, and what it tells of is settled.
 * - `return`: the page is paid, and the customer's browser comes back, while no event arrives.
 * - `cancel`: the making is cancelled while the gateway has the page already.
 * - `undo`: what was made, and not paid, is undone.
 * - `refund`: what was made and paid is undone.
 * - `late`: what was made was undone, and the customer pays all the same: meanwhile where the gateway closes pages, else later.
 */
export const ways = ['create', 'webhook', 'return', 'cancel', 'undo', 'refund', 'late'] as const
export type Way = (typeof ways)[number]

/** Where a process is killed: between two statements, while the gateway has a call, or while nothing is under way. */
export type CrashPoint =
  | (StatementPoint & { readonly way: Way })
  | { readonly way: Way; readonly call: Call; readonly at: Point; readonly when: 'during' }
  /** The customer pays at the gateway, and there is no server. */
  | { readonly way: 'webhook' | 'return'; readonly idle: true; readonly when: 'while' }

/** What the customer does once there is a server again. Whoever never comes back leaves it to gateways and jobs. */
export const variants = ['comes back', 'never comes back', 'cancels'] as const
export type Variant = (typeof variants)[number]

/**
 * Right after a statement is, for the database, right before the next one: unless `all` are wanted, the customers of the one
 * come back, and those of the other never do.
 */
export function variantsOf({ way, when }: CrashPoint, all: boolean): readonly Variant[] {
  const both = way === 'create' ? variants : variants.slice(0, 2)
  if (all || when === 'during' || when === 'while') return both
  return both.filter((variant) => variant !== (when === 'before' ? 'never comes back' : 'comes back'))
}

export function nameOf(point: CrashPoint): string {
  const { way, when } = point
  if ('idle' in point) return `${way}, ${when} the customer pays`
  return 'call' in point
    ? `${way}, ${when} the call ${point.call}, ${point.at}`
    : `${way}, ${when} ${point.statement} (${point.nth})`
}

const held = ['arrived', 'begun', 'executed'] as const

const callsOf: Readonly<Record<Way, readonly Call[]>> = {
  create: ['page'],
  webhook: ['look', 'capture'],
  return: ['look', 'capture'],
  // The answer of the page is lost with the cancel: nobody knows of it, and there is nothing to close it by.
  cancel: [],
  undo: ['close'],
  refund: ['refund'],
  late: ['refund'],
}

/** While the gateway has one of the calls of a way. */
export function callPoints(gateway: GatewayName, way: Way): CrashPoint[] {
  // What Razorpay holds late is given back by leaving it alone.
  const calls = callsOf[way].filter(
    (call) => gatewayCalls[gateway][call] && !(gateway === 'razorpay' && way === 'late'),
  )
  return calls.flatMap((call) =>
    held
      .filter((at) => call !== 'look' || at === 'executed')
      .map((at): CrashPoint => ({ way, call, at, when: 'during' })),
  )
}

export const idlePoints: readonly CrashPoint[] = (['webhook', 'return'] as const).map((way) => ({
  way,
  idle: true,
  when: 'while',
}))
