import { useRef, useState } from 'react'
import { useSession, useSignOut } from '../api/accounts.ts'
import { useCart, useCartActions } from '../api/cart.ts'
import type { Product, Variant } from '../api/catalog.ts'
import { useCheckoutUpkeep } from '../api/checkout.ts'
import { isKept } from '../api/problem.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { BasketIcon, PersonIcon } from '../ui/icons.tsx'
import { formatMoney } from '../ui/money.ts'
import { Notice } from '../ui/notice.tsx'
import { Sheet } from '../ui/sheet.tsx'
import { AccountForm } from './account-form.tsx'
import { AccountSheet } from './account-sheet.tsx'
import { Basket } from './basket.tsx'
import { Catalogue } from './catalogue.tsx'
import { CheckoutSheet } from './checkout-sheet.tsx'
import { ConnectionNotice } from './connection-notice.tsx'
import { explain } from './explain.ts'
import { OrdersSheet } from './orders-sheet.tsx'
import { ResetSheet } from './reset-sheet.tsx'

/** `/?order=<id>`: a gateway's page comes back there. */
const arrivedAt = new URLSearchParams(location.search).get('order') ?? undefined

type Open = 'nothing' | 'account' | 'own-account' | 'basket' | 'checkout' | 'orders'

/** The shop at `/`: groceries, the basket beside them (below, on a phone: behind a bar), and the sheets over both. */
export function Storefront() {
  const [open, setOpen] = useState<Open>(arrivedAt === undefined ? 'nothing' : 'orders')
  const [orderId, setOrderId] = useState(arrivedAt)
  const [adding, setAdding] = useState<string>()
  const [said, setSaid] = useState('')
  const [closed, setClosed] = useState(false)
  const session = useSession()
  const signOut = useSignOut()
  const { add: addItem } = useCartActions()
  const { cart, trouble } = useCart()
  const goesOn = useRef(false)
  useCheckoutUpkeep({ recall: arrivedAt === undefined })

  const signedIn = session.status === 'signed-in'
  const add = async (product: Product, variant: Variant) => {
    setAdding(product.id)
    if (await addItem(product.id, variant.id)) setSaid(messages.basket.added(product.name))
    setAdding((current) => (current === product.id ? undefined : current))
  }
  const signIn = ({ forCheckout }: { readonly forCheckout: boolean }) => {
    goesOn.current = forCheckout
    setOpen('account')
  }
  const look = (id?: string) => {
    setOrderId(id)
    setOpen('orders')
  }
  const closeOrders = () => {
    setOpen('nothing')
    setOrderId(undefined)
    // A reload shows the shop again, and not an order that was put away.
    history.replaceState(null, '', location.pathname)
  }
  const basket = (
    <Basket
      signedIn={session.status === 'opening' ? undefined : signedIn}
      onSignIn={() => signIn({ forCheckout: true })}
      onCheckout={() => setOpen('checkout')}
      onLookAtOrder={look}
    />
  )
  const count = cart?.totalItems ?? 0

  return (
    <>
      <a href="#groceries" className="sr-only focus:not-sr-only focus:absolute focus:p-4">
        {messages.shop.skip}
      </a>
      <ConnectionNotice />
      <header className="mx-auto flex max-w-7xl flex-wrap items-center justify-between gap-x-6 gap-y-1 px-5 pt-6 pb-5 sm:px-8">
        <div>
          <h1 className="text-4xl tracking-tight text-brand">{messages.shop.name}</h1>
          <p className="text-sm text-muted">{messages.shop.tagline}</p>
        </div>
        {session.status === 'signed-in' ? (
          <p className="flex items-center gap-3 text-sm">
            <Button variant="quiet" title={messages.ownAccount.open} onClick={() => setOpen('own-account')}>
              <PersonIcon />
              <span className="max-w-64 truncate max-sm:sr-only">{messages.account.signedInAs(session.user.name)}</span>
            </Button>
            <Button variant="quiet" onClick={() => setOpen('orders')}>
              {messages.orders.short}
            </Button>
            <Button variant="quiet" onClick={() => signOut.mutate()}>
              {messages.account.signOut}
            </Button>
          </p>
        ) : (
          session.status === 'guest' && (
            <Button onClick={() => signIn({ forCheckout: false })}>
              <PersonIcon />
              {messages.account.signIn}
            </Button>
          )
        )}
      </header>
      <main className="mx-auto grid max-w-7xl gap-x-10 px-5 pb-32 sm:px-8 lg:grid-cols-[minmax(0,1fr)_22rem] lg:pb-16">
        <div>
          {closed && !signedIn && (
            <div className="mb-4">
              <Notice tone="good">{messages.ownAccount.closed}</Notice>
            </div>
          )}
          {trouble !== undefined && cart !== undefined && (
            <div className="mb-4 lg:hidden">
              <Notice tone={isKept(trouble) ? 'warn' : 'bad'}>{explain(trouble)}</Notice>
            </div>
          )}
          <Catalogue
            addingProductId={adding}
            onAdd={(product, variant) => void add(product, variant)}
            onSignIn={signedIn ? undefined : () => signIn({ forCheckout: false })}
          />
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
          className="w-full flex-wrap justify-between!"
          aria-label={messages.basket.open(count)}
          onClick={() => setOpen('basket')}
        >
          <span className="flex items-center gap-2">
            <BasketIcon />
            {messages.basket.short}
          </span>
          <span className="tabular-nums">
            {messages.basket.items(count)}
            {cart && count > 0 && ` · ${formatMoney(cart.totalPrice)}`}
          </span>
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
        open={open === 'account' || (open === 'orders' && session.status === 'guest')}
        onClose={() => setOpen('nothing')}
        place="centre"
        title={messages.account.title}
        closeLabel={messages.close}
      >
        <AccountForm
          onDone={() => setOpen(goesOn.current ? 'checkout' : orderId === undefined ? 'nothing' : 'orders')}
        />
      </Sheet>
      <OrdersSheet
        open={open === 'orders' && signedIn}
        orderId={orderId}
        arrived={orderId === arrivedAt}
        onLook={setOrderId}
        onClose={closeOrders}
        onOrderedAgain={() => {
          closeOrders()
          setOpen('basket')
        }}
      />
      <AccountSheet
        open={open === 'own-account'}
        onClose={() => setOpen('nothing')}
        onClosed={() => {
          setOpen('nothing')
          setClosed(true)
        }}
      />
      <ResetSheet onSignIn={() => signIn({ forCheckout: false })} />
      <CheckoutSheet open={open === 'checkout'} onClose={() => setOpen('nothing')} onOrders={look} />
    </>
  )
}
