import { useState } from 'react'
import { useCart } from '../api/cart.ts'
import { useCheckout, type PlacedOrder } from '../api/checkout.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { SpokenHeading } from '../ui/spoken-heading.tsx'
import { orderNumber } from './order-number.ts'
import { PayChoice, useWay } from './pay-choice.tsx'

export function HeldOrder({ order }: { readonly order: PlacedOrder }) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
      <div role="status">
        <SpokenHeading>{messages.checkout.held(orderNumber(order.id))}</SpokenHeading>
        <p className="mt-2 text-muted">{messages.checkout.heldHint}</p>
      </div>
      <PayAgain order={order} />
    </div>
  )
}

/** The order is set aside and unpaid: pay for it, or let it go. */
export function PayAgain({ order }: { readonly order: PlacedOrder }) {
  const { checkout } = useCheckout()
  const { cart } = useCart()
  const [payBy, setPayBy] = useState<string>()
  // A shop has one currency.
  const currency = order.total?.currency ?? cart?.totalPrice.currency
  const way = useWay(currency, payBy)
  const text = messages.checkout
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
      <PayChoice currency={currency} value={payBy} onChange={setPayBy} />
      <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
        <Button
          single
          variant="primary"
          size="large"
          disabled={way === undefined}
          onClick={() => way && checkout.payHeld(way)}
        >
          {order.total === undefined ? text.payNow : text.pay(formatMoney(order.total))}
        </Button>
        <Button single onClick={() => checkout.letGo()}>
          {text.letGo}
        </Button>
      </div>
    </div>
  )
}
