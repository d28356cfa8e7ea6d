import { useDeferredValue, useState } from 'react'
import { useProducts, type Product, type Variant } from '../api/catalog.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { SearchIcon } from '../ui/icons.tsx'
import { Notice } from '../ui/notice.tsx'
import { ProgressBar } from '../ui/progress-bar.tsx'
import { ProductCard } from './product-card.tsx'
import { explain } from './explain.ts'

export interface CatalogueProps {
  /** The product whose variant is on its way into the basket. */
  readonly addingProductId: string | undefined
  readonly onAdd: (product: Product, variant: Variant) => void
}

export function Catalogue({ addingProductId, onAdd }: CatalogueProps) {
  const [words, setWords] = useState('')
  const search = useDeferredValue(words.trim())
  const products = useProducts(search)
  const found = products.data?.pages.flatMap((page) => page.items) ?? []
  const text = messages.search
  return (
    <section aria-labelledby="groceries" className="min-w-0">
      <h2 id="groceries" className="sr-only">
        {messages.shop.title}
      </h2>
      <form role="search" onSubmit={(event) => event.preventDefault()} className="relative mb-6">
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
      <p role="status" className="sr-only">
        {search !== '' && products.isSuccess && !products.isPlaceholderData ? text.found(found.length) : ''}
      </p>
      {products.isError && (
        <Notice tone="bad">
          {explain(products.error)}{' '}
          <Button variant="quiet" onClick={() => void products.refetch()}>
            {messages.tryAgain}
          </Button>
        </Notice>
      )}
      {products.isSuccess && found.length === 0 && (
        <p className="py-12 text-center text-muted">
          {text.nothing(search)}{' '}
          <Button variant="quiet" onClick={() => setWords('')}>
            {text.clear}
          </Button>
        </p>
      )}
      <ul
        aria-busy={products.isPending || products.isPlaceholderData}
        className="grid grid-cols-[minmax(0,1fr)] gap-x-6 gap-y-10 sm:grid-cols-2 xl:grid-cols-3"
      >
        {products.isPending && Array.from({ length: 6 }, (_, index) => <Waiting key={index} />)}
        {found.map((product) => (
          <li key={product.id} className="flex flex-col *:flex-1">
            <ProductCard
              product={product}
              adding={addingProductId === product.id}
              onAdd={(variant) => onAdd(product, variant)}
            />
          </li>
        ))}
      </ul>
      {products.hasNextPage && (
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
