import type { CartItem } from '../api/cart.ts'
import { useProduct } from '../api/catalog.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { QuantityField } from '../ui/quantity-field.tsx'
import { ProductPicture } from './product-picture.tsx'

export interface BasketLineProps {
  readonly item: CartItem
  readonly onQuantity: (quantity: number) => void
  readonly onRemove: () => void
}

export function BasketLine({ item, onQuantity, onRemove }: BasketLineProps) {
  const product = useProduct(item.productId)
  const text = messages.basket
  return (
    <li className="flex gap-3 py-3">
      <ProductPicture name={product?.name ?? item.name} image={product === null ? '' : product?.image} size="line" />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-baseline justify-between gap-x-3">
          <span
            className={`min-w-0 flex-[1_1_8rem] font-medium wrap-anywhere ${item.available ? '' : 'text-muted line-through'}`}
          >
            <bdi>{item.name}</bdi>
          </span>
          <span className="tabular-nums">{formatMoney(item.totalPrice)}</span>
        </p>
        <p className={`text-sm ${item.available ? 'text-muted' : 'text-bad'}`}>
          {item.available ? text.each(formatMoney(item.unitPrice)) : explainShortage(item, product)}
        </p>
        <div className="mt-2 flex flex-wrap items-center justify-between gap-x-3 gap-y-1">
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

/** How many there are, where the catalogue says so and it agrees with the cart. */
function explainShortage(item: CartItem, product: ReturnType<typeof useProduct>): string {
  const text = messages.basket
  if (product === null) return text.notSold
  const stock = product?.variants.find(({ id }) => id === item.variantId)?.stock
  if (stock === undefined || stock >= item.quantity) return text.unavailable
  return stock > 0 ? text.onlySome(stock) : text.noneLeft
}
