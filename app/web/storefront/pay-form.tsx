import { useState } from 'react'
import { useAddresses } from '../api/addresses.ts'
import { useCart, type Cart } from '../api/cart.ts'
import { useCheckout } from '../api/checkout.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { Skeleton } from '../ui/skeleton.tsx'
import { TillSlip } from '../ui/till-slip.tsx'
import { AddressChoice } from './address-choice.tsx'
import { PayChoice, useWay } from './pay-choice.tsx'

export interface PayFormProps {
  readonly onBack: () => void
  readonly onOrders: () => void
}

/** Where to, how, what, and the one button. */
export function PayForm({ onBack, onOrders }: PayFormProps) {
  const { cart, saving } = useCart()
  const addresses = useAddresses()
  const { checkout } = useCheckout()
  const [chosen, setChosen] = useState<string>()
  const [payBy, setPayBy] = useState<string>()
  const way = useWay(cart?.totalPrice.currency, payBy)
  const addressId = chosen ?? addresses.data?.[0]?.id
  const text = messages.checkout
  if (cart === undefined) return <Skeleton label={messages.basket.loading} lines={5} />
  if (cart.items.length === 0) return <Emptied onBack={onBack} onOrders={onOrders} />
  const { id, totalPrice } = cart
  const hint = addresses.data?.length === 0 ? text.needAddress : text.payNote
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-8">
      <AddressChoice value={addressId} onChange={setChosen} />
      <PayChoice currency={totalPrice.currency} value={payBy} onChange={setPayBy} />
      <Summary cart={cart} />
      <div className="-bottom-5 -mx-5 -mb-5 border-t border-line bg-ground px-5 pt-4 pb-[max(1.25rem,env(safe-area-inset-bottom))] [@media(min-height:36rem)]:sticky">
        <Button
          single
          variant="primary"
          size="large"
          className="w-full"
          disabled={addressId === undefined || way === undefined || saving}
          onClick={() => {
            if (addressId === undefined || way === undefined) return
            checkout.pay({ cartId: id, expectedTotal: totalPrice, addressId, way })
          }}
        >
          {text.pay(formatMoney(totalPrice))}
        </Button>
        <p className="mt-2 text-sm text-muted">{hint}</p>
      </div>
    </div>
  )
}

function Summary({ cart }: { readonly cart: Cart }) {
  const text = messages.checkout
  return (
    <section aria-label={text.summary}>
      <h3 className="mb-2 text-lg">{text.summary}</h3>
      <TillSlip
        label={text.summary}
        rows={[
          ...cart.items.map(({ variantId, name, quantity, totalPrice }) => ({
            id: variantId,
            label: messages.orders.line(name, quantity),
            value: formatMoney(totalPrice),
          })),
          { id: 'total', label: messages.basket.total, value: formatMoney(cart.totalPrice), strong: true },
        ]}
      />
    </section>
  )
}

/** Another window, or another device, has ordered or emptied it while this form was open. */
function Emptied({ onBack, onOrders }: PayFormProps) {
  const text = messages.checkout
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
      <div role="status">
        <p className="font-display text-2xl">{text.emptied}</p>
        <p className="mt-2 text-muted">{text.emptiedHint}</p>
      </div>
      <Button onClick={onOrders}>{text.toOrders}</Button>
      <Button variant="primary" onClick={onBack}>
        {text.backToShop}
      </Button>
    </div>
  )
}
