import { useRef, useState } from 'react'
import { readStanding, useCancelOrder, type Order } from '../api/orders.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { Notice } from '../ui/notice.tsx'
import { ProgressBar } from '../ui/progress-bar.tsx'
import { wordsOfCancel } from './order-words.ts'

export interface CancelOrderProps {
  readonly order: Order
  readonly offered: boolean
}

/** Asks once whether it is meant, then says what it came to: also when the order can be cancelled no more. */
export function CancelOrder({ order, offered }: CancelOrderProps) {
  const [asking, setAsking] = useState(false)
  const place = useRef<HTMLDivElement>(null)
  const cancel = useCancelOrder()
  const text = messages.orders
  const verdict = cancel.data
  const words = verdict && wordsOfCancel(verdict, order.id)
  const paid = readStanding(order).kind === 'paid'
  const left = { ...order.total, amount: order.total.amount - (order.payment?.refunded.amount ?? 0) }
  /** The button that was pressed makes way for another: reading goes on here. */
  const ask = (next: boolean) => {
    place.current?.focus()
    setAsking(next)
  }
  const send = () => {
    ask(false)
    cancel.mutate(verdict?.outcome === 'unknown' ? { id: order.id, again: verdict.retry } : { id: order.id })
  }
  if (!offered && !words && !cancel.isPending) return null
  return (
    <div ref={place} tabIndex={-1} className="grid grid-cols-[minmax(0,1fr)] gap-3 outline-none">
      {words && !cancel.isPending && (
        <Notice tone={words.tone}>
          <p className="font-medium">{words.headline}</p>
          {words.hint !== undefined && <p className="mt-1">{words.hint}</p>}
        </Notice>
      )}
      {cancel.isPending && (
        <div role="status" className="grid gap-3">
          <p>{text.cancelling}</p>
          <ProgressBar label={text.cancelling} />
        </div>
      )}
      {verdict?.outcome === 'unknown' && !cancel.isPending && (
        <Button single onClick={send}>
          {messages.verdict.retryNow}
        </Button>
      )}
      {offered && verdict?.outcome !== 'unknown' && !asking && !cancel.isPending && (
        <Button onClick={() => ask(true)}>{paid ? text.cancelPaid : text.cancel}</Button>
      )}
      {offered && asking && (
        <div role="group" aria-label={text.cancelSure} className="rounded-control bg-sunken p-4">
          <p className="font-medium">{text.cancelSure}</p>
          <p className="mb-3 text-sm text-muted">{paid ? text.cancelGivesBack(formatMoney(left)) : text.cancelFrees}</p>
          <div className="flex flex-wrap gap-3">
            <Button single variant="danger" onClick={send}>
              {text.cancelYes}
            </Button>
            <Button single onClick={() => ask(false)}>
              {text.cancelNo}
            </Button>
          </div>
        </div>
      )}
    </div>
  )
}
