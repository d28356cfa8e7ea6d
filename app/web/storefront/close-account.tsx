import { useRef, useState } from 'react'
import { unsettledOrders, useCloseAccount } from '../api/own-account.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { explain } from './explain.ts'
import { orderNumber } from './order-number.ts'

/** What is asked stands at the end of a sheet that scrolls. */
const show = (element: HTMLElement | null) => element?.scrollIntoView({ block: 'nearest' })

/** Says what is erased and what stays, and asks whether it is meant. */
export function CloseAccount({ onClosed }: { readonly onClosed: () => void }) {
  const [asking, setAsking] = useState(false)
  const place = useRef<HTMLDivElement>(null)
  const close = useCloseAccount(onClosed)
  const text = messages.ownAccount
  const unsettled = unsettledOrders(close.error)
  /** The button that was pressed makes way for another: reading goes on here. */
  const ask = (next: boolean) => {
    place.current?.focus()
    setAsking(next)
  }
  return (
    <div ref={place} tabIndex={-1} className="grid grid-cols-[minmax(0,1fr)] gap-3 outline-none">
      {close.error && !close.isPending && (
        <Notice tone="bad">
          {unsettled.length === 0
            ? explain(close.error)
            : text.unsettled(unsettled.map((id) => messages.orders.order(orderNumber(id))).join(', '))}
        </Notice>
      )}
      {asking ? (
        <div ref={show} role="group" aria-label={text.sure} className="rounded-control bg-sunken p-4">
          <p className="font-medium">{text.sure}</p>
          <ul className="my-3 list-disc space-y-2 ps-5 text-sm">
            <li>{text.erased}</li>
            <li>{text.stays}</li>
            <li>{text.unpaid}</li>
          </ul>
          <div className="flex flex-wrap gap-3">
            <Button
              single
              variant="danger"
              disabled={close.isPending}
              onClick={() => close.mutate(undefined, { onError: () => ask(false) })}
            >
              {close.isPending ? text.closing : text.yes}
            </Button>
            <Button single disabled={close.isPending} onClick={() => ask(false)}>
              {text.no}
            </Button>
          </div>
        </div>
      ) : (
        <Button variant="danger" className="justify-self-start" onClick={() => ask(true)}>
          {text.close}
        </Button>
      )}
    </div>
  )
}
