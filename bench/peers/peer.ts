// What a peer of the comparison fills. Peers are loaded by path, so that nothing else needs their packages.
import type pg from 'pg'

export interface CartInput {
  readonly cartId: number
  readonly variantId: number
}

export interface PeerOptions {
  /** The carts' database; a peer may keep its own tables in it, or a database of its own on the same server. */
  readonly url: string
  /** Connections a peer may have for the work itself. */
  readonly max: number
  /** The two statements, bare, each awaited; given a connection's pool it is the whole of the unprotected operation. */
  readonly bareCart: (pool: pg.Pool, input: CartInput) => Promise<unknown>
}

/** A piece of work of some 150 ms that writes one row, as a peer's user would write it. */
export interface SlowWork {
  /** Does it on a connection of the peer's pool; `stopped` is asked between its parts and right before COMMIT. */
  (pool: pg.Pool, key: string, stopped: AbortSignal | undefined): Promise<unknown>
}

export interface Peer {
  readonly name: string
  /** One cart operation under a key that is new. */
  addToCart(key: string, input: CartInput): Promise<unknown>
  /**
   * One race: `slow` runs under the key, and is cancelled by another client of the same database once `cancelNow` is
   * resolved. Absent where there is no cancel.
   */
  cancelRace?(key: string, slow: SlowWork, cancelNow: Promise<void>): Promise<{ readonly toldCancelled: boolean }>
  close(): Promise<void>
}
