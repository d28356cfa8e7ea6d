import type pg from 'pg'
import { until } from '../../../safepoint/test/support/until.ts'
import { demand, type Person } from '../shop/people.ts'
import { untilTold, type Begun, type Surroundings } from './begin-way.ts'
import { nameOf, type CrashPoint, type Variant } from './crash-points.ts'
import { findOpenToOthers, isAtRest } from './find-wrong.ts'
import type { Purchase, Told } from './purchase.ts'
import type { Truth } from './read-truth.ts'
import { passReservation, passTenMinutes } from './time-passes.ts'

export interface Shop extends Surroundings {
  readonly sql: pg.Pool
  readonly administrator: Person
  truthOf(purchase: Purchase): Promise<Truth>
  /** Whether something waits for a human. */
  isStuck(): Promise<boolean>
}

export interface Left {
  readonly point: CrashPoint
  readonly variant: Variant
  readonly purchase: Purchase
  readonly undelivered: Begun['undelivered']
}

export interface Rest {
  readonly truth: Truth
  /** A human had to look at the gateway's book, and say what it says. */
  readonly asked: boolean
  /** What was wrong before that. */
  readonly wrong: readonly string[]
}

/** What becomes of a purchase once there is a server again, until nothing more is to happen to it. */
export async function goOn(shop: Shop, { point, variant, purchase, undelivered }: Left): Promise<Rest> {
  const { sql, edge, isStuck, truthOf } = shop
  const { way } = point
  const insist = (asked: Told['asked']) => purchase.insist(asked, isStuck)
  const wrong: string[] = []
  let asked = false
  let passed = false

  /** The gateway is patient: until each of its events is acknowledged. Those that are lost are lost. */
  async function deliver(): Promise<void> {
    for (const delivery of edge.take()) if (way !== 'return' || variant === 'comes back') undelivered.add(delivery)
    await Promise.all(
      [...undelivered].map(async (delivery) => {
        const status = await edge.deliver(delivery)
        if (status >= 200 && status < 300) undelivered.delete(delivery)
      }),
    )
  }

  async function cancel(): Promise<void> {
    const { body } = await insist('cancel')
    if (body.outcome === 'too_late' && body.state === 'succeeded') await insist('undo')
  }

  async function comeBack(): Promise<void> {
    if (way === 'cancel') await cancel()
    if (way === 'undo' || way === 'refund' || way === 'late') await insist('undo')
    const { status } = await insist('create')
    if (way === 'create' && status < 300 && (await purchase.pay(purchase.page()!))) await untilTold(shop)
    if (!purchase.hasPaid()) return
    await until(async () => (await purchase.goBack()) > 0)
    if (way === 'return') await insist('verify')
  }

  /** A human looks at the gateway's book. */
  async function look(truth: Truth): Promise<void> {
    wrong.push(...findOpenToOthers(truth))
    const [order] = truth.orders
    const { refunded } = order!.taken
    const answer = { returned: refunded > 0, note: 'seen in the book' }
    const path = `/api/admin/payments/${order!.paymentId}/resolve-refund`
    await demand(shop.administrator.send(edge.url, 'POST', path, answer), 200)
    asked = true
    // It is as it was before: whoever wants the money back asks again.
    if (way === 'refund' && variant === 'comes back' && refunded === 0) await insist('undo')
  }

  if (variant === 'cancels') {
    await cancel()
    const page = purchase.page()
    // In another window it is still open.
    if (page && (await purchase.pay(page))) await untilTold(shop)
  } else if (variant === 'comes back') await comeBack()
  return until(
    async () => {
      await deliver()
      const truth = await truthOf(purchase)
      if (await isStuck()) {
        if (truth.running.length === 0 && !asked) await look(truth)
        return undefined
      }
      if (undelivered.size === 0 && isAtRest(truth)) return { truth, asked, wrong }
      if (truth.running.length > 0 || undelivered.size > 0 || passed || variant === 'comes back') return undefined
      passed = true
      if (!purchase.hasPaid()) await passReservation(sql, purchase.customer.accountId)
      else if (way === 'return') await passTenMinutes(sql, purchase.customer.accountId)
      return undefined
    },
    { timeoutMs: 25_000, intervalMs: 50, message: () => `an end of it, killed ${nameOf(point)}, who ${variant}` },
  )
}
