import { useCheckout, type CheckoutState } from '../api/checkout.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Sheet } from '../ui/sheet.tsx'
import { HeldOrder, PayAgain } from './held-order.tsx'
import { LeaveForPage } from './leave-for-page.tsx'
import { OperationDetails } from './operation-details.tsx'
import { PayForm } from './pay-form.tsx'
import { RunningCheckout } from './running-checkout.tsx'
import { Verdict } from './verdict.tsx'

export interface CheckoutSheetProps {
  readonly open: boolean
  readonly onClose: () => void
  /** Looks at one order, or at all of them. */
  readonly onOrders: (orderId?: string) => void
}

/** Everything from "check out" to the verdict. It cannot be closed by accident while money may be moving. */
export function CheckoutSheet({ open, onClose, onOrders }: CheckoutSheetProps) {
  const { state, checkout } = useCheckout()
  const offersForm = open && mayTryAgain(state)
  const order = state.status === 'told' ? state.order : undefined
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
      {state.status === 'idle' && <PayForm onBack={close} onOrders={() => onOrders()} />}
      {state.status === 'held' && <HeldOrder order={state.order} />}
      {state.status === 'leaving' && <LeaveForPage page={state.page} onBack={() => checkout.hold(state.order)} />}
      {state.status === 'running' && <RunningCheckout running={state} onCancel={() => checkout.cancel()} />}
      {state.status === 'told' && (
        <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
          <Verdict told={state.told} order={state.order} />
          {state.told.kind === 'ordered' && !state.told.undoRefused && (
            <Button single onClick={() => checkout.undo()}>
              {messages.verdict.undo}
            </Button>
          )}
          {(state.told.kind === 'declined' || state.told.kind === 'refused') && state.order && (
            <PayAgain order={state.order} />
          )}
          {offersForm && (
            <Button single variant="primary" size="large" onClick={() => checkout.dismiss()}>
              {messages.checkout.backToPaying}
            </Button>
          )}
          {state.told.kind === 'ordered' && order !== undefined && (
            <Button
              single
              onClick={() => {
                checkout.dismiss()
                onOrders(order.id)
              }}
            >
              {messages.verdict.lookAtOrder}
            </Button>
          )}
          <Button single variant={state.told.kind === 'declined' || offersForm ? 'quiet' : 'primary'} onClick={close}>
            {messages.checkout.backToShop}
          </Button>
          {state.key !== undefined && <OperationDetails operationKey={state.key} />}
        </div>
      )}
    </Sheet>
  )
}

/** Refusals before an order was placed that the basket has to be changed for; after any other the form may do. */
const basketIsWrong = new Set(['out_of_stock', 'cart_empty', 'cart_not_found', 'product_unavailable', 'quantity_limit'])

function mayTryAgain(state: CheckoutState): boolean {
  if (state.status !== 'told' || state.told.kind !== 'refused' || state.order !== undefined) return false
  return !basketIsWrong.has(state.told.problem.code)
}
