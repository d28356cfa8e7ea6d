import { useState } from 'react'
import { useAddresses } from '../api/addresses.ts'
import { useCart } from '../api/cart.ts'
import { useCheckout, type PlacedOrder } from '../api/checkout.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { Sheet } from '../ui/sheet.tsx'
import { SpokenHeading } from '../ui/spoken-heading.tsx'
import { AddressChoice } from './address-choice.tsx'
import { LeaveForPage } from './leave-for-page.tsx'
import { OperationDetails } from './operation-details.tsx'
import { orderNumber } from './order-number.ts'
import { PayChoice, useWay } from './pay-choice.tsx'
import { RunningCheckout } from './running-checkout.tsx'
import { Verdict } from './verdict.tsx'

export interface CheckoutSheetProps {
  readonly open: boolean
  readonly onClose: () => void
}

/** Everything from "check out" to the verdict. It cannot be closed by accident while money may be moving. */
export function CheckoutSheet({ open, onClose }: CheckoutSheetProps) {
  const { state, checkout } = useCheckout()
  const close = () => {
    checkout.dismiss()
    onClose()
  }
  return (
    <Sheet
      open={open || state.status !== 'idle'}
      onClose={close}
      held={state.status === 'running'}
      title={messages.checkout.title}
      closeLabel={messages.close}
    >
      {state.status === 'idle' && <PayForm />}
      {state.status === 'held' && <HeldOrder order={state.order} />}
      {state.status === 'leaving' && <LeaveForPage page={state.page} onBack={() => checkout.hold(state.order)} />}
      {state.status === 'running' && <RunningCheckout running={state} onCancel={() => checkout.cancel()} />}
      {state.status === 'told' && (
        <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
          <Verdict told={state.told} order={state.order} />
          {state.told.kind === 'ordered' && !state.told.undoRefused && (
            <Button variant="plain" onClick={() => checkout.undo()}>
              {messages.verdict.undo}
            </Button>
          )}
          {(state.told.kind === 'declined' || state.told.kind === 'refused') && state.order && (
            <PayAgain order={state.order} />
          )}
          <Button variant={state.told.kind === 'declined' ? 'quiet' : 'primary'} onClick={close}>
            {messages.checkout.backToShop}
          </Button>
          {state.key !== undefined && <OperationDetails operationKey={state.key} />}
        </div>
      )}
    </Sheet>
  )
}

function PayForm() {
  const { cart, saving } = useCart()
  const addresses = useAddresses()
  const { checkout } = useCheckout()
  const [chosen, setChosen] = useState<string>()
  const [payBy, setPayBy] = useState<string>()
  const way = useWay(cart?.totalPrice.currency, payBy)
  const addressId = chosen ?? addresses.data?.[0]?.id
  if (cart === undefined) return null
  const { id, totalPrice, totalItems } = cart
  const text = messages.checkout
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-8">
      <AddressChoice value={addressId} onChange={setChosen} />
      <PayChoice currency={totalPrice.currency} value={payBy} onChange={setPayBy} />
      <div>
        <p className="mb-3 flex items-baseline text-xl font-semibold tabular-nums">
          <span>{messages.basket.items(totalItems)}</span>
          <span className="leader" aria-hidden="true" />
          <span>{formatMoney(totalPrice)}</span>
        </p>
        <Button
          variant="primary"
          size="large"
          className="w-full"
          disabled={addressId === undefined || way === undefined || saving || totalItems === 0}
          onClick={() => {
            if (addressId === undefined || way === undefined) return
            checkout.pay({ cartId: id, expectedTotal: totalPrice, addressId, way })
          }}
        >
          {text.pay(formatMoney(totalPrice))}
        </Button>
        <p className="mt-2 text-sm text-muted">{addressId === undefined ? text.needAddress : text.payNote}</p>
      </div>
    </div>
  )
}

function HeldOrder({ order }: { readonly order: PlacedOrder }) {
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
function PayAgain({ order }: { readonly order: PlacedOrder }) {
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
          variant="primary"
          size="large"
          disabled={way === undefined}
          onClick={() => way && checkout.payHeld(way)}
        >
          {order.total === undefined ? text.payNow : text.pay(formatMoney(order.total))}
        </Button>
        <Button onClick={() => checkout.letGo()}>{text.letGo}</Button>
      </div>
    </div>
  )
}
