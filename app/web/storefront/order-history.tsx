import { useId } from 'react'
import type { OrderChange } from '../api/orders.ts'
import { messages } from '../messages.ts'
import { formatClock, formatDay } from './format-time.ts'

/** What has happened to an order, oldest first; a day is named where it begins. */
export function OrderHistory({ changes }: { readonly changes: readonly OrderChange[] }) {
  const id = useId()
  return (
    <section aria-labelledby={id}>
      <h4 id={id} className="mb-3 font-medium">
        {messages.orders.history}
      </h4>
      <ol className="text-sm">
        {changes.map((change, index) => (
          <Step
            key={`${change.at} ${change.to} ${change.reason}`}
            change={change}
            day={dayOf(changes, index)}
            isLast={index === changes.length - 1}
          />
        ))}
      </ol>
    </section>
  )
}

function dayOf(changes: readonly OrderChange[], index: number): string | undefined {
  const day = formatDay(changes[index]!.at)
  const before = changes[index - 1]
  return before !== undefined && formatDay(before.at) === day ? undefined : day
}

interface StepProps {
  readonly change: OrderChange
  readonly day: string | undefined
  readonly isLast: boolean
}

const dots: Readonly<Record<string, string>> = {
  completed: 'bg-good',
  failed: 'bg-bad',
  error: 'bg-warn',
  cancelled: 'bg-ink',
}

function Step({ change: { to, reason, note, at }, day, isLast }: StepProps) {
  return (
    <li className="flex gap-3">
      <span aria-hidden="true" className="flex flex-col items-center">
        <span className={`mt-1.5 size-2.5 shrink-0 rounded-full ${dots[to] ?? 'bg-line-strong'}`} />
        {!isLast && <span className="w-px flex-1 bg-line-strong" />}
      </span>
      <div className="flex min-w-0 flex-1 flex-wrap items-baseline justify-between gap-x-3 pb-3">
        <span className={isLast ? 'font-medium' : ''}>{messages.orders.reasons[reason] ?? reason}</span>
        <time dateTime={at} className="text-muted tabular-nums">
          {day !== undefined && `${day}, `}
          {formatClock(at)}
        </time>
        {note !== undefined && (
          <span className="w-full text-muted">
            <bdi>{note}</bdi>
          </span>
        )}
      </div>
    </li>
  )
}
