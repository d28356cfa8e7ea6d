import type { Fault, Point } from '../../simulators/faults.ts'
import { mulberry32 } from '../checkout/plan.ts'
import { gatewayNames, type GatewayName } from './start-shop.ts'

/** How often each kind comes, of all. */
const weights = {
  'cart add': 22,
  'cart change': 6,
  'cart remove': 4,
  'cart clear': 1,
  'cart merge': 3,
  'order place': 9,
  'order confirm by card': 9,
  'order confirm by page': 3,
  'create from cart': 9,
  'pay on page': 12,
  'payment verify': 2,
  'order cancel': 5,
  undo: 2,
  'order ship': 2,
  'order refund': 3,
  'stock adjust': 3,
  'price change': 2,
  'archive or restore': 1,
  'webhook again': 3,
  'time is up': 1,
} as const

export type Kind = keyof typeof weights
export const kinds = Object.keys(weights) as Kind[]

/** What happens to a request on its way. Times are milliseconds from its start. */
export type Trouble =
  | { readonly kind: 'none' }
  /** Cancelled by its key, at some server. */
  | { readonly kind: 'cancel'; readonly after: number; readonly server: number }
  /** Sent once more under the same key, to some server, whether or not the first is answered. */
  | { readonly kind: 'retry'; readonly after: number; readonly server: number }
  /** The connection breaks; `again`: the client asks again under the same key. */
  | { readonly kind: 'cut'; readonly after: number; readonly again: boolean; readonly server: number }

/** The next call of a gateway that fits suffers it. */
export interface GatewayTrouble {
  readonly gateway: GatewayName
  readonly path?: string
  readonly times: number
  readonly fault: Fault
}

export interface PlannedOperation {
  readonly kind: Kind
  readonly person: number
  readonly server: number
  readonly trouble: Trouble
  readonly gatewayTrouble: GatewayTrouble | undefined
  /** Decides what is left open here, because it depends on what there is: the same numbers whatever that is. */
  readonly chance: readonly number[]
}

/** Follows from the seed alone; the scheduling is the machine's. */
export function planOperations(options: {
  readonly seed: number
  readonly operations: number
  readonly people: number
  readonly servers: number
  /** Leaves out what takes the shop a quarter of a minute to be sure of: a charge that may have been made, and is not to be found. */
  readonly quick?: boolean
}): PlannedOperation[] {
  const next = mulberry32(options.seed)
  const one = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!
  const upTo = (most: number) => Math.floor(next() * (most + 1))
  const servers = Array.from({ length: options.servers }, (_, n) => n)
  const people = Array.from({ length: options.people }, (_, n) => n)
  const deck = kinds.flatMap((kind) => Array.from({ length: weights[kind] }, () => kind))

  const trouble = (): Trouble => {
    const share = next()
    const after = upTo(60)
    const server = one(servers)
    if (share < 0.12) return { kind: 'cancel', after, server }
    if (share < 0.24) return { kind: 'retry', after, server }
    if (share < 0.34) return { kind: 'cut', after, again: next() < 0.7, server }
    return { kind: 'none' }
  }
  const fault = (): Fault => {
    const at = one<Point>(['arrived', 'begun', 'executed'])
    return one<() => Fault>([
      () => ({ kind: 'drop', at: 'arrived' }),
      () => ({ kind: 'drop', at: 'executed' }),
      () => ({ kind: 'delay', ms: upTo(400), at }),
      // Longer than the shop waits.
      () => ({ kind: 'delay', ms: 1500, at }),
      () => ({ kind: 'error', status: 500, stored: false, effect: 'none' }),
      () => ({ kind: 'error', status: 503, stored: false, effect: 'none' }),
      () => ({ kind: 'error', status: 500, stored: !options.quick, effect: 'none' }),
      () => ({ kind: 'error', status: 500, stored: !options.quick, effect: options.quick ? 'none' : 'done' }),
      () => ({ kind: 'rate_limit', retryAfterSeconds: 0 }),
      () => ({ kind: 'in_flight' }),
      () => ({ kind: 'decline', code: 'card_declined', declineCode: 'generic_decline' }),
      () => ({ kind: 'webhook', copies: upTo(4), early: next() < 0.5, freshIds: next() < 0.3 }),
    ])()
  }
  const gatewayTrouble = (): GatewayTrouble => {
    const gateway = one(gatewayNames)
    const times = next() < 0.2 && !options.quick ? 3 : 1
    // A charge of CardCom's can only be looked for, and a refund is a human's to find.
    const path = gateway === 'cardcom' && options.quick ? one(cardcomPages) : undefined
    return { gateway, times, ...(path !== undefined && { path }), fault: fault() }
  }
  return Array.from({ length: options.operations }, () => ({
    kind: one(deck),
    person: one(people),
    server: one(servers),
    trouble: trouble(),
    gatewayTrouble: next() < 0.12 ? gatewayTrouble() : undefined,
    chance: Array.from({ length: 6 }, next),
  }))
}

const cardcomPages = ['/api/v11/LowProfile/Create', '/api/v11/LowProfile/GetLpResult']
