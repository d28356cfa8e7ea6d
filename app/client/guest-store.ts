import type { Money } from './model.ts'
import { randomId } from './random-id.ts'
import type { Exclusively } from './session.ts'

/** Of a line: the prices are the catalogue's, and what stands here is shown only while that cannot be read. */
export interface GuestLine {
  readonly productId: string
  readonly variantId: string
  readonly quantity: number
  readonly name: string
  readonly unitPrice: Money
}

export interface StoredGuestCart {
  /** A UUID, and the key under which it is merged: whoever merges this cart, in whichever tab, it is the same operation. */
  readonly id: string
  readonly version: number
  readonly lines: readonly GuestLine[]
  readonly createdAt: string
  readonly updatedAt: string
}

/** A cart that has become an account's, and whose merge has no answer yet. */
export interface BegunMerge {
  readonly account: string
  readonly cart: StoredGuestCart
}

/** One entry for both, so that a cart becomes an account's in one write: no crash leaves it in both places, or in none. */
export interface GuestEntry {
  readonly cart?: StoredGuestCart | undefined
  readonly merging: readonly BegunMerge[]
}

/** What a guest has left in this browser. */
export interface GuestStore {
  read(): GuestEntry
  /** One change at a time over all tabs; what it answers is written. */
  change(decide: (entry: GuestEntry) => GuestEntry): Promise<GuestEntry>
}

const entryName = 'pantry:guest-cart'

export function createGuestStore(
  store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>,
  exclusively: Exclusively,
): GuestStore {
  const read = (): GuestEntry => {
    try {
      const entry = JSON.parse(store.getItem(entryName) ?? 'null') as GuestEntry | null
      return Array.isArray(entry?.merging) ? entry : { merging: [] }
    } catch {
      return { merging: [] }
    }
  }
  return {
    read,
    change: (decide) =>
      exclusively(entryName, async () => {
        const entry = decide(read())
        if (entry.cart === undefined && entry.merging.length === 0) store.removeItem(entryName)
        else store.setItem(entryName, JSON.stringify(entry))
        return entry
      }),
  }
}

export function newGuestCart(): StoredGuestCart {
  const at = new Date().toISOString()
  return { id: randomId(), version: 1, lines: [], createdAt: at, updatedAt: at }
}
