import { useState } from 'react'
import type { Product, Variant } from '../api/catalog.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { NutritionTable } from './nutrition-table.tsx'
import { ProductPicture } from './product-picture.tsx'
import { WishButton } from './wish-button.tsx'

export interface ProductCardProps {
  readonly product: Product
  readonly adding: boolean
  readonly onAdd: (variant: Variant) => void
  readonly wished: boolean
  readonly onWish: () => void
}

/** From how many left a customer is told the number as a warning. */
const few = 5

export function ProductCard({ product, adding, onAdd, wished, onWish }: ProductCardProps) {
  const [chosen, setChosen] = useState(product.variants[0]?.id)
  const variant = product.variants.find(({ id }) => id === chosen) ?? product.variants[0]
  if (variant === undefined) return null
  const text = messages.product
  const soldOut = variant.stock <= 0
  return (
    <article className="flex h-full gap-4 sm:flex-col sm:gap-3" aria-labelledby={`product-${product.id}`}>
      <div className="relative self-start sm:self-stretch">
        <ProductPicture name={product.name} image={product.image} size="card" />
        <WishButton name={product.name} wished={wished} onWish={onWish} />
      </div>
      <div className="flex min-w-0 flex-1 flex-col">
        <div className="flex flex-wrap items-baseline justify-between gap-x-3">
          <h3 id={`product-${product.id}`} className="min-w-0 flex-[1_1_9rem] text-lg wrap-anywhere">
            <bdi>{product.name}</bdi>
          </h3>
          <p className="text-lg tabular-nums">{formatMoney(variant.price)}</p>
        </div>
        <p className="mt-0.5 line-clamp-2 text-sm text-muted">
          <bdi>{product.description}</bdi>
        </p>
        <NutritionTable nutrition={product.nutrition} />
        <div className="mt-auto pt-3">
          <Variants product={product} chosen={variant.id} onChoose={setChosen} />
          <div className="mt-3 flex flex-wrap items-center justify-between gap-3">
            <p className={`text-sm ${soldOut ? 'text-bad' : variant.stock <= few ? 'text-warn' : 'text-muted'}`}>
              {soldOut ? text.soldOut : variant.stock <= few ? text.few(variant.stock) : text.stock(variant.stock)}
            </p>
            <Button
              disabled={soldOut || adding}
              onClick={() => onAdd(variant)}
              aria-label={text.addNamed(product.name)}
            >
              {adding ? text.adding : text.add}
            </Button>
          </div>
        </div>
      </div>
    </article>
  )
}

interface VariantsProps {
  readonly product: Product
  readonly chosen: string
  readonly onChoose: (id: string) => void
}

/** Native radio buttons: arrow keys, forms and assistive technology know them. */
function Variants({ product, chosen, onChoose }: VariantsProps) {
  const [only] = product.variants
  if (product.variants.length === 1) {
    return (
      <p className="text-sm text-muted">
        <bdi>{only?.name}</bdi>
      </p>
    )
  }
  return (
    <fieldset className="flex flex-wrap gap-1.5">
      <legend className="sr-only">{messages.product.variant(product.name)}</legend>
      {product.variants.map((variant) => (
        <label
          key={variant.id}
          className="cursor-pointer rounded-full border border-line px-3 py-1 text-sm hover:border-line-strong has-checked:border-brand has-checked:bg-brand-soft has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-brand"
        >
          <input
            type="radio"
            name={`variant-${product.id}`}
            value={variant.id}
            checked={variant.id === chosen}
            onChange={() => onChoose(variant.id)}
            className="sr-only"
          />
          <bdi className={variant.stock <= 0 ? 'text-muted line-through' : ''}>{variant.name}</bdi>
        </label>
      ))}
    </fieldset>
  )
}
