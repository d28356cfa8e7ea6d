import { useState } from 'react'
import { useCart, useCartActions, type CartItem, type LeftOut } from '../api/cart.ts'
import { useSetAsideOrder } from '../api/orders.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { isKept } from '../api/problem.ts'
import { Notice } from '../ui/notice.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { BasketLine } from './basket-line.tsx'
import { explain } from './explain.ts'
import { orderNumber } from './order-number.ts'
import { RemovedNotice } from './removed-notice.tsx'

export interface BasketProps {
  /** Undefined: nobody knows yet. */
  readonly signedIn: boolean | undefined
  readonly onSignIn: () => void
  readonly onCheckout: () => void
  readonly onLookAtOrder: (orderId: string) => void
}

/** What was asked for is shown at once; what did not succeed is taken back, and said. */
export function Basket({ signedIn, onSignIn, onCheckout, onLookAtOrder }: BasketProps) {
  const { cart, status, saving, trouble, leftOut } = useCart()
  const actions = useCartActions()
  const [removed, setRemoved] = useState<CartItem>()
  const text = messages.basket
  if (cart === undefined || (signedIn === undefined && cart.items.length === 0))
    return status === 'failed' ? <Notice tone="bad">{explain(trouble)}</Notice> : <Skeleton label={text.loading} />
  const remove = (item: CartItem) => {
    setRemoved(item)
    void actions.remove(item.id)
  }
  // What cannot be had could not be put back either.
  const mayReturn = removed?.available && !cart.items.some(({ variantId }) => variantId === removed.variantId)
  return (
    <div>
      <LeftOutNotice lines={leftOut} onDismiss={actions.dismissLeftOut} />
      <SetAsideNotice onLook={onLookAtOrder} />
      {cart.items.length === 0 ? (
        <div className="text-muted">
          <p>{text.empty}</p>
          <p>{signedIn ? text.emptyHint : text.guest}</p>
        </div>
      ) : (
        <ul className="divide-y divide-line">
          {cart.items.map((item) => (
            <BasketLine
              // A line keeps its place when the server gives it its id.
              key={item.variantId}
              item={item}
              onQuantity={(quantity) => void actions.setQuantity(item.id, quantity)}
              onRemove={() => remove(item)}
            />
          ))}
        </ul>
      )}
      {removed && mayReturn && (
        <div className="mt-3">
          <RemovedNotice
            words={text.removed(removed.name)}
            undo={text.bringBack}
            onUndo={() => {
              setRemoved(undefined)
              void actions.add(removed.productId, removed.variantId, removed.quantity)
            }}
          />
        </div>
      )}
      {trouble !== undefined && (
        <div className="mt-3">
          <Notice tone={isKept(trouble) ? 'warn' : 'bad'}>{explain(trouble)}</Notice>
        </div>
      )}
      {cart.items.length > 0 && (
        <>
          <p
            className="mt-2 flex flex-wrap items-baseline border-t border-line pt-4 text-xl font-semibold tabular-nums"
            role="status"
          >
            <span>{text.total}</span>
            <span className="leader" aria-hidden="true" />
            <span>{formatMoney(cart.totalPrice)}</span>
          </p>
          {cart.hasUnavailableItems && <p className="mt-2 text-sm text-warn">{text.unavailableHint}</p>}
          <Button
            variant="primary"
            size="large"
            className="mt-4 w-full"
            disabled={saving || signedIn === undefined || cart.hasUnavailableItems}
            onClick={signedIn ? onCheckout : onSignIn}
          >
            {signedIn ? text.checkout : text.checkoutSignIn}
          </Button>
          {!signedIn && <p className="mt-2 text-sm text-muted">{text.guest}</p>}
        </>
      )}
    </div>
  )
}

/** Its groceries have left the basket, and whoever closed the checkout should find them again. */
function SetAsideNotice({ onLook }: { readonly onLook: (orderId: string) => void }) {
  const order = useSetAsideOrder()
  const text = messages.basket
  if (order === undefined) return null
  return (
    <div className="mb-4">
      <Notice tone="warn">
        <p>{text.setAside(orderNumber(order.id))}</p>
        <Button variant="quiet" onClick={() => onLook(order.id)}>
          {text.setAsideGo}
        </Button>
      </Notice>
    </div>
  )
}

function LeftOutNotice({ lines, onDismiss }: { readonly lines: readonly LeftOut[]; readonly onDismiss: () => void }) {
  const text = messages.basket
  if (lines.length === 0) return null
  return (
    <div className="mb-4">
      <Notice tone="warn">
        <p>{text.leftOut}</p>
        <ul className="my-1 list-disc ps-5">
          {lines.map(({ name, quantity, reason }) => (
            <li key={`${name} ${reason ?? ''}`}>
              {text.leftOutLine(name, quantity)}
              {reason !== undefined && `: ${text.leftOutWhy[reason] ?? reason}`}
            </li>
          ))}
        </ul>
        <Button variant="quiet" onClick={onDismiss}>
          {text.dismiss}
        </Button>
      </Notice>
    </div>
  )
}
