import { useOrders, type Order } from '../api/orders.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { Sheet } from '../ui/sheet.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { formatTime } from './format-time.ts'
import { orderNumber } from './order-number.ts'
import { OrderView } from './order-view.tsx'
import { nameStanding } from './order-words.ts'
import { ReadFailed } from './read-failed.tsx'

export interface OrdersSheetProps {
  readonly open: boolean
  /** The one that is looked at; absent: all of them. */
  readonly orderId: string | undefined
  /** It was a gateway's page that led to it. */
  readonly arrived: boolean
  readonly onLook: (orderId: string | undefined) => void
  readonly onClose: () => void
  readonly onOrderedAgain: () => void
}

export function OrdersSheet({ open, orderId, arrived, onLook, onClose, onOrderedAgain }: OrdersSheetProps) {
  const text = messages.orders
  return (
    <Sheet open={open} onClose={onClose} title={text.title} closeLabel={messages.close}>
      {orderId === undefined ? (
        <OrderList onLook={onLook} onClose={onClose} />
      ) : (
        <div className="grid grid-cols-[minmax(0,1fr)] gap-5">
          <p>
            <Button variant="quiet" onClick={() => onLook(undefined)}>
              {text.all}
            </Button>
          </p>
          <OrderView key={orderId} id={orderId} arrived={arrived} onPay={onClose} onOrderedAgain={onOrderedAgain} />
        </div>
      )}
    </Sheet>
  )
}

function OrderList({ onLook, onClose }: Pick<OrdersSheetProps, 'onLook' | 'onClose'>) {
  const orders = useOrders()
  const text = messages.orders
  if (orders.data === undefined)
    return orders.error ? <ReadFailed of={orders} /> : <Skeleton label={text.loading} lines={6} />
  const found = orders.data.pages.flatMap(({ items }) => items)
  if (found.length === 0) {
    return (
      <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
        <p className="text-muted">{text.none}</p>
        <Button variant="primary" onClick={onClose}>
          {messages.checkout.backToShop}
        </Button>
      </div>
    )
  }
  return (
    <div>
      <ul className="divide-y divide-line">
        {found.map((order) => (
          <OrderRow key={order.id} order={order} onLook={onLook} />
        ))}
      </ul>
      {orders.hasNextPage && (
        <p className="mt-4 text-center">
          <Button disabled={orders.isFetchingNextPage} onClick={() => void orders.fetchNextPage()}>
            {text.more}
          </Button>
        </p>
      )}
    </div>
  )
}

const tones = { good: 'text-good', warn: 'text-warn', bad: 'text-bad', plain: 'text-muted' } as const

function OrderRow({ order, onLook }: { readonly order: Order; readonly onLook: (orderId: string) => void }) {
  const { tone, word } = nameStanding(order)
  return (
    <li>
      <button
        type="button"
        onClick={() => onLook(order.id)}
        className="block w-full rounded-control px-2 py-3 text-start hover:bg-sunken"
      >
        <span className="flex items-baseline justify-between gap-3">
          <span className="font-medium">{messages.orders.order(orderNumber(order.id))}</span>
          <span className="shrink-0 tabular-nums">{formatMoney(order.total)}</span>
        </span>
        <span className="mt-0.5 flex items-baseline justify-between gap-3 text-sm">
          <time dateTime={order.createdAt} className="text-muted">
            {formatTime(order.createdAt)}
          </time>
          <span className={`shrink-0 ${tones[tone]}`}>{word}</span>
        </span>
      </button>
    </li>
  )
}
