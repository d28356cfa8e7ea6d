import type { SignalBus } from 'safepoint'
import type { Reader } from '../database.ts'
import { findProduct, listProducts, type ProductListing } from './catalog.queries.ts'
import { catalogTopic, type CatalogProduct } from './catalog.ts'

/** The catalogue as this process remembers it, stock left out. */
export interface CachedCatalog {
  findProduct(id: string): Promise<CatalogProduct | undefined>
  listProducts(listing: ProductListing): Promise<readonly CatalogProduct[]>
  /** Reads that were answered from memory, and those that were not, since this process began. */
  figures(): { readonly hits: number; readonly misses: number }
  /** Products in memory. */
  readonly size: number
}

export interface CacheCatalogOptions {
  readonly database: Reader
  readonly bus: SignalBus
  /** Milliseconds after which it is read afresh without having been told: signals may be lost. Default 5000. */
  readonly ttl?: number
  /** Products that are kept, over all answers; what was asked for longest ago goes first. Default 5000. */
  readonly limit?: number
}

interface Entry {
  readonly read: Promise<CatalogProduct | readonly CatalogProduct[] | undefined>
  readonly until: number
  /** Products in it; one that is being read counts as one. */
  weight: number
}

/**
 * Keeps what was read of the catalogue until something in it changes: every change announces the topic `catalog` as it
 * commits, and then all of it is forgotten, in this process at once. A read that began before cannot come back afterwards: it was
 * forgotten while it was under way, and only those that waited for it get it. Equal reads at the same time are one.
 */
export function cacheCatalog({ database, bus, ttl = 5000, limit = 5000 }: CacheCatalogOptions): CachedCatalog {
  // In the order of their last use.
  const entries = new Map<string, Entry>()
  const figures = { hits: 0, misses: 0 }
  let size = 0

  const drop = (key: string, entry: Entry) => {
    if (entries.get(key) !== entry) return
    entries.delete(key)
    size -= entry.weight
  }
  const forget = () => {
    entries.clear()
    size = 0
  }
  bus.subscribe(catalogTopic, forget)
  bus.onGap(forget)

  function remember<T extends CatalogProduct | readonly CatalogProduct[] | undefined>(
    key: string,
    load: () => Promise<T>,
  ): Promise<T> {
    const now = performance.now()
    const known = entries.get(key)
    if (known && known.until > now) {
      figures.hits++
      entries.delete(key)
      entries.set(key, known)
      return known.read as Promise<T>
    }
    figures.misses++
    if (known) drop(key, known)
    const read = load()
    const entry: Entry = { read, until: now + ttl, weight: 1 }
    entries.set(key, entry)
    size++
    read.then(
      (found) => {
        // What is not there is not kept: there is no end of what is not there.
        if (found === undefined) return drop(key, entry)
        if (entries.get(key) !== entry) return
        const weight = Math.max(1, Array.isArray(found) ? found.length : 1)
        size += weight - entry.weight
        entry.weight = weight
        for (const [oldest, other] of entries) {
          if (size <= limit) break
          drop(oldest, other)
        }
      },
      () => drop(key, entry),
    )
    return read
  }

  return {
    findProduct: (id) => remember(`product ${id.toLowerCase()}`, () => findProduct(database, id)),
    listProducts: (listing) =>
      remember(`list ${JSON.stringify([listing.search?.toLowerCase(), listing.limit, listing.after])}`, () =>
        listProducts(database, listing),
      ),
    figures: () => ({ ...figures }),
    get size() {
      return size
    },
  }
}
