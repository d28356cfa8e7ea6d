import type { Product } from '../api/catalog.ts'
import { useWishedProducts, type Wish } from '../api/wishlist.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { ProductPicture } from './product-picture.tsx'

export interface WishesProps {
  readonly wishes: readonly Wish[]
  readonly renderProduct: (product: Product) => React.ReactNode
  readonly onTakeOff: (wish: Wish) => void
}

/** The wishlist, as it is sold now. */
export function Wishes({ wishes, renderProduct, onTakeOff }: WishesProps) {
  const products = useWishedProducts(wishes)
  return wishes.map((wish, index) => {
    const product = products[index]
    return (
      <li key={wish.productId} className="flex flex-col *:flex-1">
        {product ? renderProduct(product) : <Remembered wish={wish} gone={product === null} onTakeOff={onTakeOff} />}
      </li>
    )
  })
}

interface RememberedProps {
  readonly wish: Wish
  /** It is sold no longer; else it is being looked up. */
  readonly gone: boolean
  readonly onTakeOff: (wish: Wish) => void
}

function Remembered({ wish, gone, onTakeOff }: RememberedProps) {
  return (
    <article className="flex h-full gap-4 sm:flex-col sm:gap-3">
      <ProductPicture name={wish.name} image={gone ? '' : wish.image} size="card" />
      <div className="min-w-0 flex-1">
        <h3 className="text-lg wrap-anywhere">
          <bdi>{wish.name}</bdi>
        </h3>
        {gone && (
          <>
            <p className="text-sm text-bad">{messages.basket.notSold}</p>
            <Button variant="quiet" className="mt-1 text-sm" onClick={() => onTakeOff(wish)}>
              {messages.wishlist.takeOff}
            </Button>
          </>
        )}
      </div>
    </article>
  )
}
