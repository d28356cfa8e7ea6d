import { useEffect, useRef } from 'react'
import { useCheckout } from '../api/checkout.ts'
import { canCancel, isDecided, readStanding, useOrder, useVerifyOrder, type OrderWithHistory } from '../api/orders.ts'
import { useCartActions } from '../api/cart.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { Notice } from '../ui/notice.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { SpokenHeading } from '../ui/spoken-heading.tsx'
import { TillSlip } from '../ui/till-slip.tsx'
import { addressLine } from './address-line.ts'
import { CancelOrder } from './cancel-order.tsx'
import { explain } from './explain.ts'
import { PageForm } from './leave-for-page.tsx'
import { formatTime } from './format-time.ts'
import { OrderHistory } from './order-history.tsx'
import { orderNumber } from './order-number.ts'
import { nameStanding } from './order-words.ts'

export interface OrderViewProps {
  readonly id: string
  /** Somebody comes from a gateway's page. */
  readonly arrived: boolean
  /** The checkout takes over. */
  readonly onPay: () => void
  /** Its groceries are on their way into the basket. */
  readonly onOrderedAgain: () => void
}

const tones = { good: 'text-good', warn: 'text-warn', bad: 'text-bad', plain: 'text-ink' } as const

/** One order and its truth, followed until it is decided. */
export function OrderView({ id, arrived, onPay, onOrderedAgain }: OrderViewProps) {
  const order = useOrder(id)
  useVerifyOnce(order.data, arrived)
  if (order.data === undefined) return order.error ? <Notice tone="bad">{explain(order.error)}</Notice> : <Waiting />
  const { data } = order
  const { tone, sentence } = nameStanding(data)
  const text = messages.orders
  const number = orderNumber(data.id)
  const refunded = data.payment?.refunded
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
      <div role="status" aria-live="polite">
        <SpokenHeading className={tones[tone]}>{`${text.order(number)}: ${sentence}`}</SpokenHeading>
        {readStanding(data).kind === 'waiting' && (
          <p className="mt-2 text-muted">{text.until(formatTime(data.reservedUntil))}</p>
        )}
      </div>
      <TillSlip
        label={text.order(number)}
        rows={[
          ...data.items.map((item) => ({
            id: item.id,
            label: text.line(item.name, item.quantity),
            value: formatMoney(item.totalPrice),
          })),
          { label: text.total, value: formatMoney(data.total), strong: true },
          ...(refunded?.amount ? [{ label: text.refunded, value: formatMoney(refunded) }] : []),
        ]}
      />
      <Actions order={data} onPay={onPay} onOrderedAgain={onOrderedAgain} />
      <p className="text-sm text-muted">
        {text.to}: <bdi>{data.shippingAddress.name}</bdi>, <bdi>{addressLine(data.shippingAddress)}</bdi>
      </p>
      <OrderHistory changes={data.history} />
    </div>
  )
}

/** The gateway may know more than has reached the shop: it is asked once on the way back, and never needed. */
function useVerifyOnce(order: OrderWithHistory | undefined, arrived: boolean): void {
  const { mutate } = useVerifyOrder()
  const asked = useRef(false)
  useEffect(() => {
    if (order === undefined || !arrived || asked.current || isDecided(readStanding(order))) return
    asked.current = true
    mutate(order)
  }, [order, arrived, mutate])
}

interface ActionsProps extends Pick<OrderViewProps, 'onPay' | 'onOrderedAgain'> {
  readonly order: OrderWithHistory
}

function Actions({ order, onPay, onOrderedAgain }: ActionsProps) {
  const { checkout } = useCheckout()
  const { add } = useCartActions()
  const standing = readStanding(order)
  const text = messages.orders
  const payable = standing.kind === 'set_aside' || standing.kind === 'declined'
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3 empty:hidden">
      {standing.kind === 'waiting' && standing.page && <PageForm page={standing.page} label={text.goOn} />}
      {(payable || (standing.kind === 'waiting' && !standing.page)) && (
        <Button
          variant="primary"
          size="large"
          onClick={() => {
            checkout.hold({ id: order.id, total: order.total })
            onPay()
          }}
        >
          {text.pay}
        </Button>
      )}
      {/* Of an order that was never paid, they are in the basket already. */}
      {(standing.kind === 'paid' || standing.kind === 'refunded') && (
        <Button
          single
          onClick={() => {
            for (const { productId, variantId, quantity } of order.items) void add(productId, variantId, quantity)
            onOrderedAgain()
          }}
        >
          {text.again}
        </Button>
      )}
      <CancelOrder order={order} offered={canCancel(order)} />
    </div>
  )
}

const Waiting = () => <Skeleton label={messages.orders.asking} lines={6} />
