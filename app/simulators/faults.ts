import { randomUUID } from 'node:crypto'
import { z } from 'zod'

/**
 * Where a call can be held, delayed or cut:
 * - `arrived`: still in the network; nothing is known of it, its key is free.
 * - `begun`: its idempotency key is taken; the book is not touched yet.
 * - `executed`: the book has changed and the answer is stored under the key; the answer has not left.
 */
const point = z.enum(['arrived', 'begun', 'executed'])
export type Point = z.infer<typeof point>

const fault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('delay'), ms: z.int().min(0).max(600_000), at: point.default('begun') }),
  /** Held until the rule is released. */
  z.strictObject({ kind: z.literal('hang'), at: point.default('begun') }),
  /** The connection is cut: `arrived` = before any processing, `executed` = accepted, then the answer is lost. */
  z.strictObject({ kind: z.literal('drop'), at: z.enum(['arrived', 'executed']) }),
  /** `stored` keeps the error under the key; `effect: done` answers it although the work was done. */
  z
    .strictObject({
      kind: z.literal('error'),
      status: z.int().min(500).max(599).default(500),
      stored: z.boolean(),
      effect: z.enum(['none', 'done']).default('none'),
    })
    .refine(
      (error) => error.stored || error.effect === 'none',
      'an effect without a stored answer would not be at-most-once',
    ),
  z.strictObject({ kind: z.literal('in_flight') }),
  z.strictObject({ kind: z.literal('rate_limit'), retryAfterSeconds: z.int().min(0).optional() }),
  z.strictObject({
    kind: z.literal('decline'),
    code: z.string().default('card_declined'),
    declineCode: z.string().default('generic_decline'),
  }),
  /** SMTP: answered instead of what was due, to the recipient or to the text; nothing is kept of it. 4xx: not now, 5xx: never. */
  z.strictObject({
    kind: z.literal('reply'),
    code: z.int().min(400).max(599),
    text: z.string().default('Ordered by a fault'),
  }),
  /** The payment stays `processing`, the refund `pending`, until the control route settles it. */
  z.strictObject({ kind: z.literal('processing') }),
  z.strictObject({
    kind: z.literal('webhook'),
    /** Deliveries of each event, all at once. */
    copies: z.int().min(0).max(50).default(1),
    /** Delivered before the answer of the call leaves. */
    early: z.boolean().default(false),
    /** Each copy is an event of its own id that says the same. */
    freshIds: z.boolean().default(false),
    tamper: z.enum(['wrong_secret', 'stale_timestamp', 'reserialized', 'unsigned']).optional(),
  }),
])
export type Fault = z.infer<typeof fault>
export type FaultKind = Fault['kind']
export type FaultOf<K extends FaultKind> = Extract<Fault, { kind: K }>

const match = z.strictObject({
  method: z.string().optional(),
  // A star stands for one segment, as in: POST /v1/payment_intents/*/cancel
  path: z.string().optional(),
  key: z.string().optional(),
  /** Each must be equal; names as on the wire. */
  params: z.record(z.string(), z.string()).optional(),
})
export type CallMatch = z.infer<typeof match>

/** What `POST /_control/faults` takes: the next `times` matching calls suffer all of `faults`. One rule a call, oldest first. */
export const faultRule = z.strictObject({
  match: match.default({}),
  times: z.int().min(1).default(1),
  faults: z.array(fault).min(1),
})
export const barrierRule = z.strictObject({
  match: match.default({}),
  at: point.default('begun'),
  times: z.int().min(1).default(1),
})

export interface CallFacts {
  readonly method: string
  readonly path: string
  readonly key: string | null
  readonly params: Readonly<Record<string, string>>
}

/** A rule that holds calls. `held` counts calls held now. */
export interface Barrier {
  readonly id: string
  /** Resolves as soon as a call is (or was) held. */
  held(): Promise<void>
  /** Lets every held call go on, and holds none any more. */
  release(): void
}

export interface FaultRuleState {
  readonly id: string
  readonly match: CallMatch
  readonly left: number
  readonly faults: readonly Fault[]
  readonly held: number
}

export interface AppliedFaults {
  readonly faults: readonly Fault[]
  /** Waits until the rule is released. */
  hold(): Promise<void>
}

export interface FaultQueue {
  add(rule: z.input<typeof faultRule>): Barrier
  find(id: string): Barrier | undefined
  list(): FaultRuleState[]
  /** The faults of the first rule that matches; takes one of its `times`. */
  take(call: CallFacts): AppliedFaults
  /** Removes one rule, or all; what they hold goes on. */
  clear(): number
}

interface Rule {
  readonly id: string
  readonly match: CallMatch
  readonly faults: readonly Fault[]
  left: number
  held: number
  /** Kept so that a hang of a used-up rule can still be released. */
  readonly released: Promise<void>
  readonly barrier: Barrier
  markHeld(): void
}

export function createFaultQueue(): FaultQueue {
  const rules = new Map<string, Rule>()

  const live = () => [...rules.values()].filter((rule) => rule.left > 0)

  return {
    add(input) {
      const parsed = faultRule.parse(input)
      const id = randomUUID()
      const released = Promise.withResolvers<void>()
      const held = Promise.withResolvers<void>()
      const barrier: Barrier = {
        id,
        held: () => held.promise,
        release() {
          rules.delete(id)
          released.resolve()
        },
      }
      rules.set(id, {
        id,
        match: parsed.match,
        faults: parsed.faults,
        left: parsed.times,
        held: 0,
        released: released.promise,
        barrier,
        markHeld: held.resolve,
      })
      return barrier
    },
    find: (id) => rules.get(id)?.barrier,
    list: () => [...rules.values()].map(({ id, match, left, faults, held }) => ({ id, match, left, faults, held })),
    take(call) {
      const rule = live().find((candidate) => matches(candidate.match, call))
      if (!rule) return { faults: [], hold: async () => {} }
      rule.left -= 1
      // A rule without a hang has nothing to release: it goes as soon as it is used up.
      if (rule.left === 0 && !rule.faults.some((one) => one.kind === 'hang')) rules.delete(rule.id)
      return {
        faults: rule.faults,
        async hold() {
          rule.held += 1
          rule.markHeld()
          await rule.released
          rule.held -= 1
        },
      }
    },
    clear() {
      const count = rules.size
      for (const rule of rules.values()) rule.barrier.release()
      return count
    },
  }
}

function matches(wanted: CallMatch, call: CallFacts): boolean {
  if (wanted.method && wanted.method.toUpperCase() !== call.method) return false
  if (wanted.key !== undefined && wanted.key !== call.key) return false
  if (wanted.path && !pathMatches(wanted.path, call.path)) return false
  return Object.entries(wanted.params ?? {}).every(([name, value]) => call.params[name] === value)
}

function pathMatches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/')
  const given = path.split('/')
  return wanted.length === given.length && wanted.every((segment, i) => segment === '*' || segment === given[i])
}
