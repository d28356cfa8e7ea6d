import type { Problem, Verdict } from 'safepoint/client'
import { describe, expect, it, vi } from 'vitest'
import { createCartCache, isOlder, type HeldCart } from './cart-cache.ts'
import { findItemId, projectCart, type CartEdit, type Describe } from './cart-edits.ts'
import { installCartRecovery, type RecoveryWindow } from './cart-recovery.ts'
import { CartRefused } from './cart-refused.ts'
import { coalesceReads } from './coalesce-reads.ts'
import { createKeptChanges } from './kept-changes.ts'
import type { Cart } from './model.ts'
import { isDecided, readStanding } from './order-standing.ts'

const money = (amount: number) => ({ amount, currency: 'INR' })

function cartOf(quantities: Readonly<Record<string, number>>, more: Partial<Cart> = {}): Cart {
  const items = Object.entries(quantities).map(([variantId, quantity]) => ({
    id: `item-${variantId}`,
    productId: `product-${variantId}`,
    variantId,
    name: variantId,
    quantity,
    unitPrice: money(100),
    totalPrice: money(100 * quantity),
    available: true,
  }))
  const totalItems = items.reduce((sum, { quantity }) => sum + quantity, 0)
  return {
    id: 'c1',
    version: 1,
    items,
    itemsCount: items.length,
    totalItems,
    totalPrice: money(totalItems * 100),
    hasUnavailableItems: false,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    ...more,
  }
}

const describeVariant: Describe = (productId, variantId) =>
  productId === 'unknown'
    ? undefined
    : { variantId: variantId ?? 'first', name: 'Rice', unitPrice: money(100), stock: 9 }

const project = (cart: Cart, ...edits: CartEdit[]) => {
  const { items, totalItems, totalPrice } = projectCart(cart, edits, describeVariant)
  return { lines: Object.fromEntries(items.map((item) => [item.variantId, item.quantity])), totalItems, totalPrice }
}

describe('What is shown before the server has answered', () => {
  const cart = cartOf({ rice: 2, beans: 1 })

  it('is the cart with every change in it, sums included', () => {
    expect(project(cart, { kind: 'add', productId: 'p', variantId: 'rice', quantity: 3 })).toEqual({
      lines: { rice: 5, beans: 1 },
      totalItems: 6,
      totalPrice: money(600),
    })
    expect(project(cart, { kind: 'add', productId: 'p', quantity: 1 }).lines).toEqual({ rice: 2, beans: 1, first: 1 })
    expect(project(cart, { kind: 'set', itemId: 'item-rice', quantity: 7 }).lines).toEqual({ rice: 7, beans: 1 })
    expect(project(cart, { kind: 'set', itemId: 'item-rice', quantity: 0 }).lines).toEqual({ beans: 1 })
    expect(project(cart, { kind: 'remove', itemId: 'item-beans' }).lines).toEqual({ rice: 2 })
    expect(project(cart, { kind: 'clear' })).toEqual({ lines: {}, totalItems: 0, totalPrice: money(0) })
  })

  it('leaves a line that nobody can describe to the server', () => {
    expect(project(cart, { kind: 'add', productId: 'unknown', variantId: 'x', quantity: 1 }).lines).toEqual({
      rice: 2,
      beans: 1,
    })
  })

  it('has a line that the server has not named yet, which is found once it has', () => {
    const shown = projectCart(cart, [{ kind: 'add', productId: 'p', quantity: 1 }], describeVariant)
    const { id } = shown.items.at(-1)!
    expect(findItemId(cart, id)).toBeUndefined()
    expect(findItemId(cartOf({ first: 1 }), id)).toBe('item-first')
  })
})

describe('The cart that is held', () => {
  const at = (cart: Partial<Cart>, when = 0): HeldCart => ({ cart: cartOf({}, cart), at: when })

  it('is newer by its version, over the carts of one account; then by when it was asked for', () => {
    expect(isOlder(at({ version: 4 }), at({ version: 5 }))).toBe(true)
    expect(isOlder(at({ version: 5 }), at({ version: 4 }))).toBe(false)
    expect(isOlder(at({ version: 5 }, 1), at({ version: 5 }, 2))).toBe(true)
    // A cart that began later is newer, whatever its number.
    const later = '2026-01-02T00:00:00.000Z'
    expect(isOlder(at({ id: 'c2', version: 1, createdAt: later }), at({ version: 9 }))).toBe(false)
    expect(isOlder(at({ version: 9 }), at({ id: 'c2', version: 1, createdAt: later }))).toBe(true)
  })

  it('is fresh for 30 s, unless something newer was heard of; outlives a reload; and a damaged entry is none', () => {
    const items = new Map<string, string>()
    const store = {
      getItem: (name: string) => items.get(name) ?? null,
      setItem: (name: string, value: string) => void items.set(name, value),
      removeItem: (name: string) => void items.delete(name),
    }
    const clock = { now: 1_000 }
    const open = () => createCartCache('u1', { store, maxAge: 30_000, now: () => clock.now })
    const cache = open()
    expect(cache.offer(at({ version: 2 }, 1_000))).toBe(true)
    expect(cache.offer(at({ version: 1 }, 1_001))).toBe(false)
    clock.now = 30_999
    expect([cache.isFresh(), open().isFresh()]).toEqual([true, true])
    clock.now = 31_000
    expect(cache.isFresh()).toBe(false)
    cache.offer(at({ version: 2 }, 31_000))
    cache.expire()
    expect(cache.isFresh()).toBe(false)
    items.set('pantry:cart:u1', '{"cart":')
    expect(open().held()).toBeUndefined()
    cache.clear()
    expect(items.size).toBe(0)
  })
})

describe('Reads that are asked for together', () => {
  it('are one; who wants it fresh waits for one that leaves after they asked, and there is one such', async () => {
    const answers: Array<(value: number) => void> = []
    const read = vi.fn<() => Promise<number>>(() => new Promise<number>((resolve) => answers.push(resolve)))
    const ask = coalesceReads(read)
    const [first, shared] = [ask(true), ask(true)]
    await Promise.resolve()
    const [joined, fresh, alsoFresh] = [ask(false), ask(true), ask(true)]
    expect(read).toHaveBeenCalledTimes(1)
    answers[0]!(1)
    expect(await Promise.all([first, shared, joined])).toEqual([1, 1, 1])
    await vi.waitFor(() => expect(read).toHaveBeenCalledTimes(2))
    answers[1]!(2)
    expect(await Promise.all([fresh, alsoFresh])).toEqual([2, 2])
  })

  it('go on after one that failed', async () => {
    const read = vi.fn<() => Promise<number>>().mockRejectedValueOnce(new Error('away')).mockResolvedValue(3)
    const ask = coalesceReads(read)
    await expect(ask(false)).rejects.toThrow('away')
    expect(await ask(false)).toBe(3)
  })
})

describe('Recovery', () => {
  function openWindow() {
    const storage = () => {
      const items = new Map<string, string>()
      return {
        items,
        getItem: (name: string) => items.get(name) ?? null,
        setItem: (name: string, value: string) => void items.set(name, value),
        removeItem: (name: string) => void items.delete(name),
      }
    }
    type Listener = Parameters<RecoveryWindow['addEventListener']>[1]
    const listeners = new Set<Listener>()
    const [localStorage, sessionStorage] = [storage(), storage()]
    const window: RecoveryWindow = {
      localStorage,
      sessionStorage,
      addEventListener: (_, listener) => void listeners.add(listener),
      removeEventListener: (_, listener) => void listeners.delete(listener),
    }
    return {
      window,
      localStorage,
      sessionStorage,
      /** Whether it was kept from the console. */
      raise(reason: unknown) {
        let handled = false
        for (const listener of listeners) listener({ reason, preventDefault: () => (handled = true) })
        return handled
      },
    }
  }

  it('is told by the code, happens once in 30 s over reloads, and takes away what only misleads', () => {
    vi.useFakeTimers()
    const { window, localStorage, sessionStorage, raise } = openWindow()
    const recover = vi.fn<() => Promise<Cart>>(async () => cartOf({}))
    const count = vi.fn<(figure: string) => void>()
    const install = () => installCartRecovery(window, { cart: { recover }, figures: { count }, account: () => 'u1' })
    let uninstall = install()
    for (const name of ['cartId', 'pantry:cart:u1', 'pantry:refresh-token']) localStorage.setItem(name, '1')
    sessionStorage.setItem('cartData', '{}')

    expect(raise(new Error('Cart is empty, the cart of that name'))).toBe(false)
    expect(raise(undefined)).toBe(false)
    expect(recover).not.toHaveBeenCalled()

    expect(raise(new CartRefused('cart_empty', 'Leer.'))).toBe(true)
    expect(recover).toHaveBeenCalledTimes(1)
    expect([...localStorage.items.keys()]).toEqual(['pantry:refresh-token'])
    expect(sessionStorage.items.has('cartData')).toBe(false)

    uninstall()
    uninstall = install()
    expect(raise(new CartRefused('cart_empty', 'Leer.'))).toBe(false)
    vi.advanceTimersByTime(30_000)
    expect(raise(new CartRefused('cart_item_not_found', 'Weg.'))).toBe(true)
    expect(recover).toHaveBeenCalledTimes(2)
    expect(count.mock.calls).toEqual([['cart_sync_error'], ['cart_sync_error'], ['cart_sync_error']])
    uninstall()
    expect(raise(new CartRefused('cart_empty', 'Leer.'))).toBe(false)
    vi.useRealTimers()
  })
})

describe('How an order stands', () => {
  it('follows from its status and its payment, and is decided where nothing changes by itself', () => {
    const stand = (status: string, payment?: string, reason = '') =>
      readStanding({ status, reason, ...(payment && { payment: { status: payment } }) } as never)
    expect(stand('pending')).toEqual({ kind: 'set_aside' })
    expect(stand('awaiting_payment', 'requires_action')).toEqual({ kind: 'waiting' })
    expect(stand('awaiting_payment', 'created')).toEqual({ kind: 'deciding' })
    expect(stand('processing', 'processing')).toEqual({ kind: 'deciding' })
    expect(stand('completed', 'captured')).toEqual({ kind: 'paid' })
    expect(stand('completed', 'refunding')).toEqual({ kind: 'refunding' })
    expect(stand('failed', 'failed')).toEqual({ kind: 'declined' })
    expect(stand('error', 'captured')).toEqual({ kind: 'trouble' })
    expect(stand('cancelled', 'refunded')).toEqual({ kind: 'refunded' })
    expect(stand('cancelled', 'voided', 'expired')).toEqual({ kind: 'expired' })
    expect(stand('cancelled', 'voided', 'customer_cancel')).toEqual({ kind: 'cancelled' })
    expect(['paid', 'refunded', 'cancelled', 'expired', 'declined'].every((kind) => isDecided({ kind } as never))).toBe(
      true,
    )
    expect(
      ['waiting', 'deciding', 'refunding', 'trouble', 'set_aside'].some((kind) => isDecided({ kind } as never)),
    ).toBe(false)
  })
})

describe('A change without an answer', () => {
  const problem: Problem = {
    type: '/errors/cart_full',
    title: 'Full',
    status: 409,
    code: 'cart_full',
    retryable: false,
  }
  const unknown = { outcome: 'unknown' } as Verdict
  const refused = { outcome: 'failed', problem } as Verdict

  it('is sent again, each time later, until it has its end; why it was refused is told then', async () => {
    vi.useFakeTimers()
    try {
      const answers = [[unknown], [unknown], [refused]]
      const ended = vi.fn<(refused: unknown) => void>()
      const asked: number[] = []
      const began = Date.now()
      const kept = createKeptChanges({
        client: { resume: async () => answers.shift() ?? [] },
        after: 1_000,
        ended,
        due() {
          asked.push(Date.now() - began)
          void kept.takeUp()
        },
      })
      kept.expect()
      // Another one: they go together.
      kept.expect()
      await vi.advanceTimersByTimeAsync(60_000)
      expect(asked).toEqual([1_000, 3_000, 7_000])
      expect(ended.mock.calls).toMatchObject([[{ problem }]])
    } finally {
      vi.useRealTimers()
    }
  })

  it('is left alone when somebody else signs in', async () => {
    vi.useFakeTimers()
    try {
      const due = vi.fn<() => void>()
      const kept = createKeptChanges({ client: { resume: async () => [] }, after: 1_000, ended: () => {}, due })
      kept.expect()
      kept.forget()
      await vi.advanceTimersByTimeAsync(60_000)
      expect(due).not.toHaveBeenCalled()
    } finally {
      vi.useRealTimers()
    }
  })
})
