import { useDeferredValue, useEffect, useRef, useState } from 'react'
import { useProducts, type Product, type Variant } from '../api/catalog.ts'
import { useWish, useWishlist } from '../api/wishlist.ts'
import { isKept } from '../api/problem.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { HeartIcon, SearchIcon } from '../ui/icons.tsx'
import { Notice } from '../ui/notice.tsx'
import { ProgressBar } from '../ui/progress-bar.tsx'
import { ProductCard } from './product-card.tsx'
import { explain } from './explain.ts'
import { Wishes } from './wishes.tsx'
import { ReadFailed } from './read-failed.tsx'

export interface CatalogueProps {
  /** The product whose variant is on its way into the basket. */
  readonly addingProductId: string | undefined
  readonly onAdd: (product: Product, variant: Variant) => void
  /** Nobody is signed in who could have a wishlist: what is pressed goes on it afterwards. Absent: somebody is. */
  readonly onSignIn?: (() => void) | undefined
}

export function Catalogue({ addingProductId, onAdd, onSignIn }: CatalogueProps) {
  const [words, setWords] = useState('')
  const search = useDeferredValue(words.trim())
  const products = useProducts(search)
  const { data: wishes = [] } = useWishlist()
  const wish = useWish()
  const [onlyWishes, setOnlyWishes] = useState(false)
  const showsWishes = onlyWishes && onSignIn === undefined
  const wanted = wishes.filter(({ name }) => name.toLowerCase().includes(search.toLowerCase()))
  const sold = products.data?.pages.flatMap((page) => page.items) ?? []
  const found = showsWishes ? wanted : sold
  const text = messages.search
  const guestWish = useRef<Product>(undefined)
  const { mutate } = wish
  useEffect(() => {
    if (onSignIn !== undefined || guestWish.current === undefined) return
    mutate({ product: guestWish.current, wanted: true })
    guestWish.current = undefined
  }, [onSignIn, mutate])
  const press = (product: Product, wished: boolean) => {
    if (onSignIn === undefined) return mutate({ product, wanted: !wished })
    guestWish.current = product
    onSignIn()
  }
  const card = (product: Product) => {
    const wished = wishes.some(({ productId }) => productId === product.id)
    return (
      <ProductCard
        product={product}
        adding={addingProductId === product.id}
        onAdd={(variant) => onAdd(product, variant)}
        wished={wished}
        onWish={() => press(product, wished)}
      />
    )
  }
  return (
    <section aria-labelledby="groceries" className="min-w-0">
      <h2 id="groceries" className="sr-only">
        {messages.shop.title}
      </h2>
      <div className="mb-6 flex flex-wrap items-center gap-3">
        <form role="search" onSubmit={(event) => event.preventDefault()} className="relative min-w-0 flex-1">
          <span className="pointer-events-none absolute inset-y-0 start-3.5 flex items-center text-muted">
            <SearchIcon />
          </span>
          <input
            type="search"
            aria-label={text.label}
            placeholder={text.placeholder}
            value={words}
            onChange={(event) => setWords(event.target.value)}
            className="min-h-12 w-full rounded-full border border-line-strong bg-surface ps-11 pe-5 text-base placeholder:text-muted"
          />
          {products.isPlaceholderData && products.isFetching && (
            <div className="late absolute inset-x-6 top-full mt-2">
              <ProgressBar label={text.searching} />
            </div>
          )}
        </form>
        {onSignIn === undefined && (
          <button
            type="button"
            aria-pressed={showsWishes}
            aria-label={messages.wishlist.show(wishes.length)}
            onClick={() => setOnlyWishes(!showsWishes)}
            className="inline-flex min-h-12 items-center gap-2 rounded-full border border-line-strong bg-surface px-4 hover:bg-sunken aria-pressed:border-brand aria-pressed:bg-brand-soft"
          >
            <HeartIcon filled={showsWishes} />
            <span className="max-sm:sr-only">{messages.wishlist.title}</span>
            <span className="tabular-nums">{wishes.length}</span>
          </button>
        )}
      </div>
      {wish.error && (
        <div className="mb-4">
          <Notice tone={isKept(wish.error) ? 'warn' : 'bad'}>{explain(wish.error)}</Notice>
        </div>
      )}
      <p role="status" className="sr-only">
        {search !== '' && products.isSuccess && !products.isPlaceholderData ? text.found(found.length) : ''}
      </p>
      {products.isError && !showsWishes && <ReadFailed of={products} />}
      {found.length === 0 && (showsWishes || products.isSuccess) && (
        <p className="py-12 text-center text-muted">
          {showsWishes && wishes.length === 0
            ? messages.wishlist.empty
            : search === ''
              ? messages.shop.empty
              : text.nothing(search)}{' '}
          {(showsWishes || search !== '') && (
            <Button
              variant="quiet"
              onClick={() => {
                setWords('')
                setOnlyWishes(false)
              }}
            >
              {text.clear}
            </Button>
          )}
        </p>
      )}
      <ul
        aria-busy={products.isPending || products.isPlaceholderData}
        className="grid grid-cols-[minmax(0,1fr)] gap-x-6 gap-y-10 sm:grid-cols-2 xl:grid-cols-3"
      >
        {products.isPending && !showsWishes && Array.from({ length: 6 }, (_, index) => <Waiting key={index} />)}
        {showsWishes ? (
          <Wishes
            wishes={wanted}
            renderProduct={card}
            onTakeOff={({ productId: id, ...rest }) => wish.mutate({ product: { id, ...rest }, wanted: false })}
          />
        ) : (
          sold.map((product) => (
            <li key={product.id} className="flex flex-col *:flex-1">
              {card(product)}
            </li>
          ))
        )}
      </ul>
      {products.hasNextPage && !showsWishes && (
        <p className="mt-10 text-center">
          <Button disabled={products.isFetchingNextPage} onClick={() => void products.fetchNextPage()}>
            {products.isFetchingNextPage ? text.searching : text.more}
          </Button>
        </p>
      )}
    </section>
  )
}

function Waiting() {
  return (
    <li aria-hidden="true" className="animate-pulse">
      <div className="aspect-[4/3] rounded-tile bg-sunken" />
      <div className="mt-3 h-5 w-2/3 rounded bg-sunken" />
      <div className="mt-2 h-4 w-full rounded bg-sunken" />
    </li>
  )
}
