import { useRef, useState } from 'react'
import { useSession, useSignOut } from '../api/accounts.ts'
import { useAddToCart, useCart } from '../api/cart.ts'
import { useProducts, type Product, type Variant } from '../api/catalog.ts'
import { useCheckoutUpkeep } from '../api/checkout.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { BasketIcon, PersonIcon } from '../ui/icons.tsx'
import { Notice } from '../ui/notice.tsx'
import { Sheet } from '../ui/sheet.tsx'
import { AccountForm } from './account-form.tsx'
import { Basket } from './basket.tsx'
import { Catalogue } from './catalogue.tsx'
import { CheckoutSheet } from './checkout-sheet.tsx'
import { explain } from './explain.ts'

type Open = 'nothing' | 'account' | 'basket' | 'checkout'

/** The shop at `/`: groceries, the basket beside them (below, on a phone: behind a bar), and the sheets over both. */
export function Storefront() {
  const [open, setOpen] = useState<Open>('nothing')
  const [said, setSaid] = useState('')
  const session = useSession()
  const signOut = useSignOut()
  const addToCart = useAddToCart()
  const cart = useCart()
  const everything = useProducts('')
  const wanted = useRef<{ readonly product: Product; readonly variant: Variant }>(undefined)
  useCheckoutUpkeep()

  const signedIn = session.status === 'signed-in'
  const pictures = new Map(
    everything.data?.pages.flatMap(({ items }) => items.map(({ id, image }) => [id, image] as const)),
  )
  const add = (product: Product, variant: Variant) => {
    if (!signedIn) {
      wanted.current = { product, variant }
      return setOpen('account')
    }
    addToCart.mutate(
      { productId: product.id, variantId: variant.id, quantity: 1 },
      { onSuccess: () => setSaid(messages.basket.added(product.name)) },
    )
  }
  const afterSignIn = () => {
    setOpen('nothing')
    const { product, variant } = wanted.current ?? {}
    wanted.current = undefined
    if (product && variant) addToCart.mutate({ productId: product.id, variantId: variant.id, quantity: 1 })
  }
  const basket = (
    <Basket
      signedIn={signedIn}
      pictures={pictures}
      onSignIn={() => setOpen('account')}
      onCheckout={() => setOpen('checkout')}
    />
  )
  const count = cart.data?.totalItems ?? 0

  return (
    <>
      <a href="#groceries" className="sr-only focus:not-sr-only focus:absolute focus:p-4">
        {messages.shop.skip}
      </a>
      <header className="mx-auto flex max-w-7xl flex-wrap items-center justify-between gap-x-6 gap-y-1 px-5 pt-6 pb-5 sm:px-8">
        <div>
          <h1 className="text-4xl tracking-tight text-brand">{messages.shop.name}</h1>
          <p className="text-sm text-muted">{messages.shop.tagline}</p>
        </div>
        {session.status === 'signed-in' ? (
          <p className="flex items-center gap-3 text-sm">
            <span className="hidden items-center gap-1.5 sm:flex">
              <PersonIcon />
              {messages.account.signedInAs(session.user.name)}
            </span>
            <Button variant="quiet" onClick={() => signOut.mutate()}>
              {messages.account.signOut}
            </Button>
          </p>
        ) : (
          session.status === 'guest' && (
            <Button onClick={() => setOpen('account')}>
              <PersonIcon />
              {messages.account.signIn}
            </Button>
          )
        )}
      </header>
      <main className="mx-auto grid max-w-7xl gap-x-10 px-5 pb-32 sm:px-8 lg:grid-cols-[minmax(0,1fr)_22rem] lg:pb-16">
        <div>
          {addToCart.error && (
            <div className="mb-4">
              <Notice tone="bad">{explain(addToCart.error)}</Notice>
            </div>
          )}
          <Catalogue addingProductId={addToCart.isPending ? addToCart.variables.productId : undefined} onAdd={add} />
        </div>
        <aside aria-labelledby="basket" className="hidden lg:block">
          <div className="sticky top-6 max-h-[calc(100dvh-3rem)] overflow-y-auto rounded-tile bg-surface p-6">
            <h2 id="basket" className="mb-3 text-2xl">
              {messages.basket.title}
            </h2>
            {basket}
          </div>
        </aside>
      </main>
      <p role="status" className="sr-only">
        {said}
      </p>
      <div className="fixed inset-x-0 bottom-0 border-t border-line bg-surface px-5 pt-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] lg:hidden">
        <Button
          variant="primary"
          size="large"
          className="w-full justify-between!"
          aria-label={messages.basket.open(count)}
          onClick={() => setOpen('basket')}
        >
          <span className="flex items-center gap-2">
            <BasketIcon />
            {messages.basket.short}
          </span>
          <span className="tabular-nums">{messages.basket.items(count)}</span>
        </Button>
      </div>
      <Sheet
        open={open === 'basket'}
        onClose={() => setOpen('nothing')}
        title={messages.basket.title}
        closeLabel={messages.close}
      >
        {basket}
      </Sheet>
      <Sheet
        open={open === 'account'}
        onClose={() => setOpen('nothing')}
        place="centre"
        title={messages.account.title}
        closeLabel={messages.close}
      >
        <AccountForm onDone={afterSignIn} />
      </Sheet>
      <CheckoutSheet open={open === 'checkout'} onClose={() => setOpen('nothing')} />
    </>
  )
}
