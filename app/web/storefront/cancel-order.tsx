import { useState } from 'react'
import { readStanding, useCancelOrder, type Order } from '../api/orders.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { wordsOfCancel } from './order-words.ts'

export interface CancelOrderProps {
  readonly order: Order
  readonly offered: boolean
}

/** Asks once whether it is meant, then says what it came to: also when the order can be cancelled no more. */
export function CancelOrder({ order, offered }: CancelOrderProps) {
  const [asking, setAsking] = useState(false)
  const cancel = useCancelOrder()
  const text = messages.orders
  const verdict = cancel.data
  const words = verdict && wordsOfCancel(verdict, order.id)
  const paid = readStanding(order).kind === 'paid'
  const send = () => {
    setAsking(false)
    cancel.mutate(verdict?.outcome === 'unknown' ? { id: order.id, again: verdict.retry } : { id: order.id })
  }
  return (
    <>
      {words && (
        <Notice tone={words.tone}>
          <p className="font-medium">{words.headline}</p>
          {words.hint !== undefined && <p className="mt-1">{words.hint}</p>}
        </Notice>
      )}
      {verdict?.outcome === 'unknown' && (
        <Button disabled={cancel.isPending} onClick={send}>
          {messages.verdict.retryNow}
        </Button>
      )}
      {offered && verdict?.outcome !== 'unknown' && !asking && (
        <Button disabled={cancel.isPending} onClick={() => setAsking(true)}>
          {cancel.isPending ? text.cancelling : paid ? text.cancelPaid : text.cancel}
        </Button>
      )}
      {offered && asking && (
        <div role="group" aria-label={text.cancelSure} className="rounded-control bg-sunken p-4">
          <p className="mb-3 font-medium">{text.cancelSure}</p>
          <div className="flex flex-wrap gap-3">
            <Button variant="danger" onClick={send}>
              {text.cancelYes}
            </Button>
            <Button onClick={() => setAsking(false)}>{text.cancelNo}</Button>
          </div>
        </div>
      )}
    </>
  )
}
