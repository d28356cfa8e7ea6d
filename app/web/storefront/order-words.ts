import type { Verdict } from '../api/checkout.ts'
import { readStanding, type Order } from '../api/orders.ts'
import { messages } from '../messages.ts'
import { explainProblem } from './explain.ts'
import { orderNumber } from './order-number.ts'

export type Tone = 'good' | 'warn' | 'bad' | 'plain'

export interface Words {
  readonly tone: Tone
  readonly headline: string
  readonly hint?: string
}

type Named = keyof typeof messages.orders.status

/** How an order stands, in a word for lists and a sentence for its own view. */
export function nameStanding(order: Order): { readonly tone: Tone; readonly word: string; readonly sentence: string } {
  const { kind } = readStanding(order)
  const name: Named = kind === 'paid' && order.fulfilment === 'shipped' ? 'shipped' : kind
  const { status, told } = messages.orders
  return { tone: tones[name], word: status[name], sentence: told[name] }
}

const tones: Readonly<Record<Named, Tone>> = {
  paid: 'good',
  shipped: 'good',
  waiting: 'warn',
  set_aside: 'warn',
  deciding: 'warn',
  declined: 'bad',
  trouble: 'warn',
  cancelled: 'plain',
  expired: 'plain',
  refunding: 'plain',
  refunded: 'plain',
}

/** What cancelling an order came to. Each sentence is shown only when it is true. */
export function wordsOfCancel(verdict: Verdict<Order>, id: string): Words {
  const { verdict: text } = messages.orders
  const number = orderNumber(id)
  switch (verdict.outcome) {
    case 'succeeded':
    case 'too_late': {
      if ('problem' in verdict) return refused(verdict.problem)
      const { kind } = readStanding(verdict.result)
      if (kind === 'refunded') return { tone: 'good', headline: text.refunded(number) }
      if (kind === 'refunding') return { tone: 'good', headline: text.refunding(number) }
      return { tone: 'plain', headline: text.cancelled(number) }
    }
    case 'failed':
      return refused(verdict.problem)
    case 'cancelled':
      return { tone: 'bad', headline: text.refused }
    case 'undoing':
    case 'unknown':
      return { tone: 'warn', headline: text.unknown }
    case 'needs_attention':
      return { tone: 'warn', headline: messages.verdict.needsAttention }
  }
}

function refused(problem: Extract<Verdict, { outcome: 'failed' }>['problem']): Words {
  const { verdict: text } = messages.orders
  const why: Readonly<Record<string, string>> = { order_shipped: text.shipped, conflict: text.busy }
  return { tone: 'bad', headline: text.refused, hint: why[problem.code] ?? explainProblem(problem) }
}
