import { useCart, useCartActions, type CartItem, type LeftOut } from '../api/cart.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { Notice } from '../ui/notice.tsx'
import { QuantityField } from '../ui/quantity-field.tsx'
import { explain } from './explain.ts'
import { ProductPicture } from './product-picture.tsx'

export interface BasketProps {
  /** Undefined: nobody knows yet. */
  readonly signedIn: boolean | undefined
  readonly onSignIn: () => void
  readonly onCheckout: () => void
  /** Pictures of products already seen in the catalogue; a cart line carries none. */
  readonly pictures: ReadonlyMap<string, string>
}

/** What was asked for is shown at once; what did not succeed is taken back, and said. */
export function Basket({ signedIn, onSignIn, onCheckout, pictures }: BasketProps) {
  const { cart, status, saving, trouble, leftOut } = useCart()
  const actions = useCartActions()
  const text = messages.basket
  if (cart === undefined || (signedIn === undefined && cart.items.length === 0))
    return status === 'failed' ? <Notice tone="bad">{explain(trouble)}</Notice> : <p aria-busy="true">…</p>
  return (
    <div>
      <LeftOutNotice lines={leftOut} onDismiss={actions.dismissLeftOut} />
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
              picture={pictures.get(item.productId)}
              onQuantity={(quantity) => void actions.setQuantity(item.id, quantity)}
              onRemove={() => void actions.remove(item.id)}
            />
          ))}
        </ul>
      )}
      {trouble !== undefined && (
        <div className="mt-3">
          <Notice tone="bad">{explain(trouble)}</Notice>
        </div>
      )}
      {cart.items.length > 0 && (
        <>
          <p
            className="mt-2 flex items-baseline border-t border-line pt-4 text-xl font-semibold tabular-nums"
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

interface BasketLineProps {
  readonly item: CartItem
  readonly picture: string | undefined
  readonly onQuantity: (quantity: number) => void
  readonly onRemove: () => void
}

function BasketLine({ item, picture, onQuantity, onRemove }: BasketLineProps) {
  const text = messages.basket
  return (
    <li className="flex gap-3 py-3">
      <ProductPicture name={item.name} image={picture} size="line" />
      <div className="min-w-0 flex-1">
        <p className="flex items-baseline justify-between gap-3">
          <span className={`font-medium ${item.available ? '' : 'text-muted line-through'}`}>{item.name}</span>
          <span className="shrink-0 tabular-nums">{formatMoney(item.totalPrice)}</span>
        </p>
        <p className={`text-sm ${item.available ? 'text-muted' : 'text-bad'}`}>
          {item.available ? text.each(formatMoney(item.unitPrice)) : text.unavailable}
        </p>
        <div className="mt-2 flex items-center justify-between gap-3">
          <QuantityField
            label={text.quantity(item.name)}
            fewer={text.fewer(item.name)}
            more={text.more(item.name)}
            value={item.quantity}
            onCommit={onQuantity}
          />
          <Button variant="quiet" className="text-sm" onClick={onRemove} aria-label={text.removeNamed(item.name)}>
            {text.remove}
          </Button>
        </div>
      </div>
    </li>
  )
}
