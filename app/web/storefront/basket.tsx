import { useCart, useRemoveItem, useSetQuantity, type CartItem } from '../api/cart.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { Notice } from '../ui/notice.tsx'
import { QuantityField } from '../ui/quantity-field.tsx'
import { explain } from './explain.ts'
import { ProductPicture } from './product-picture.tsx'

export interface BasketProps {
  readonly signedIn: boolean
  readonly onSignIn: () => void
  readonly onCheckout: () => void
  /** Pictures of products already seen in the catalogue; a cart line carries none. */
  readonly pictures: ReadonlyMap<string, string>
}

export function Basket({ signedIn, onSignIn, onCheckout, pictures }: BasketProps) {
  const cart = useCart()
  const setQuantity = useSetQuantity()
  const removeItem = useRemoveItem()
  const text = messages.basket
  const trouble = setQuantity.error ?? removeItem.error ?? cart.error
  if (!signedIn) {
    return (
      <div className="grid justify-items-start gap-4">
        <p className="text-muted">{text.guest}</p>
        <Button variant="primary" onClick={onSignIn}>
          {messages.account.signIn}
        </Button>
      </div>
    )
  }
  if (cart.data === undefined)
    return trouble ? <Notice tone="bad">{explain(trouble)}</Notice> : <p aria-busy="true">…</p>
  if (cart.data.items.length === 0) {
    return (
      <div className="text-muted">
        <p>{text.empty}</p>
        <p>{text.emptyHint}</p>
      </div>
    )
  }
  const asked = setQuantity.isPending ? setQuantity.variables : undefined
  const busy = setQuantity.isPending || removeItem.isPending
  return (
    <div>
      <ul className="divide-y divide-line">
        {cart.data.items.map((item) => (
          <BasketLine
            key={item.id}
            item={item}
            picture={pictures.get(item.productId)}
            // What was asked for is shown while it is on its way; what the server says, after that.
            quantity={asked?.id === item.id ? asked.quantity : item.quantity}
            onQuantity={(quantity) => setQuantity.mutate({ id: item.id, quantity })}
            onRemove={() => removeItem.mutate({ id: item.id })}
          />
        ))}
      </ul>
      {trouble && (
        <div className="mt-3">
          <Notice tone="bad">{explain(trouble)}</Notice>
        </div>
      )}
      <p
        className="mt-2 flex items-baseline border-t border-line pt-4 text-xl font-semibold tabular-nums"
        role="status"
      >
        <span>{text.total}</span>
        <span className="leader" aria-hidden="true" />
        <span>{formatMoney(cart.data.totalPrice)}</span>
      </p>
      {cart.data.hasUnavailableItems && <p className="mt-2 text-sm text-warn">{text.unavailableHint}</p>}
      <Button
        variant="primary"
        size="large"
        className="mt-4 w-full"
        disabled={busy || cart.data.hasUnavailableItems}
        onClick={onCheckout}
      >
        {text.checkout}
      </Button>
    </div>
  )
}

interface BasketLineProps {
  readonly item: CartItem
  readonly picture: string | undefined
  readonly quantity: number
  readonly onQuantity: (quantity: number) => void
  readonly onRemove: () => void
}

function BasketLine({ item, picture, quantity, onQuantity, onRemove }: BasketLineProps) {
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
            value={quantity}
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
