import type { PlacedOrder, Told } from '../api/checkout.ts'
import { messages } from '../messages.ts'
import { formatMoney } from '../ui/money.ts'
import { ProgressBar } from '../ui/progress-bar.tsx'
import { SpokenHeading } from '../ui/spoken-heading.tsx'
import { TillSlip, type SlipRow } from '../ui/till-slip.tsx'
import { explainProblem } from './explain.ts'
import { orderNumber } from './order-number.ts'

interface Words {
  readonly tone: 'good' | 'warn' | 'bad' | 'plain'
  readonly headline: string
  readonly hint?: string | undefined
}

/** What a checkout came to, in words. Each sentence is shown only when it is true. */
export function wordsOf(told: Told, order: PlacedOrder | undefined): Words {
  const text = messages.verdict
  const number = order === undefined ? '' : orderNumber(order.id)
  switch (told.kind) {
    case 'cancelled': {
      const baskets = {
        returning: text.basketReturning,
        returned: text.basketReturned,
        'set-aside': text.basketUnknown,
      }
      return told.charge === 'never_begun'
        ? { tone: 'plain', headline: text.cancelled, hint: baskets[told.basket] }
        : { tone: 'plain', headline: text.takenBack, hint: `${text.takenBackHint} ${baskets[told.basket]}` }
    }
    case 'ordered':
      if (told.undoRefused !== undefined) {
        return { tone: 'bad', headline: text.undoRefused, hint: explainProblem(told.undoRefused) }
      }
      return told.late
        ? { tone: 'warn', headline: text.tooLate(number), hint: text.tooLateHint }
        : { tone: 'good', headline: text.ordered(number), hint: text.orderedHint }
    case 'waiting':
      return { tone: 'warn', headline: text.waiting, hint: text.waitingHint }
    case 'undoing':
      return {
        tone: 'plain',
        headline: text.undoing(Math.min(told.undone + 1, told.total), told.total),
        hint: text.undoingHint,
      }
    case 'refunding':
      return { tone: 'plain', headline: text.refunding }
    case 'refunded':
      return { tone: 'good', headline: text.refunded(number) }
    case 'declined':
      return { tone: 'bad', headline: text.declined, hint: told.problem.detail }
    case 'refused':
      return { tone: 'bad', headline: text.refused, hint: explainProblem(told.problem) }
    case 'busy':
      return { tone: 'warn', headline: text.busy }
    case 'release_refused':
      return { tone: 'bad', headline: text.releaseRefused, hint: explainProblem(told.problem) }
    case 'needs_attention':
      return { tone: 'warn', headline: text.needsAttention }
  }
}

function rowsOf(told: Told, order: PlacedOrder | undefined): readonly SlipRow[] {
  const text = messages.verdict
  const total = order?.total
  const paid = total === undefined ? '' : formatMoney(total)
  const none = total === undefined ? text.slipNothing : formatMoney({ ...total, amount: 0 })
  const number = order === undefined ? text.slipNothing : `#${orderNumber(order.id)}`
  const row = (label: string, value: string, strong = false): SlipRow => ({ label, value, strong })
  switch (told.kind) {
    case 'refused':
    case 'declined':
      return [
        row(text.slipCharged, none, true),
        order === undefined ? row(text.slipOrdered, text.slipNothing) : row(text.slipSetAside, number),
      ]
    case 'cancelled':
      return [
        row(told.charge === 'never_begun' ? text.slipCharged : text.slipRemains, none, true),
        row(text.slipOrdered, text.slipNothing),
      ]
    case 'ordered':
      return [row(text.slipCharged, paid, true), row(text.slipOrdered, number)]
    case 'refunded':
      return [row(text.slipCharged, paid), row(text.slipRefunded, paid, true), row(text.slipOrdered, text.slipNothing)]
    default:
      return [row(text.slipCharged, text.slipNotKnown), row(text.slipOrdered, text.slipNotKnown)]
  }
}

const tones = { good: 'text-good', warn: 'text-warn', bad: 'text-bad', plain: 'text-ink' } as const

export function Verdict({ told, order }: { readonly told: Told; readonly order: PlacedOrder | undefined }) {
  const { tone, headline, hint } = wordsOf(told, order)
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-5">
      <div role="status" aria-live="assertive" aria-atomic="true">
        <SpokenHeading className={tones[tone]}>{headline}</SpokenHeading>
        {hint !== undefined && <p className="mt-2 text-muted">{hint}</p>}
      </div>
      {(told.kind === 'undoing' || told.kind === 'refunding') && <ProgressBar label={headline} />}
      <TillSlip label={messages.verdict.slip} rows={rowsOf(told, order)} />
    </div>
  )
}
