import type { Client } from 'safepoint/client'
import type { BegunMerge, GuestStore } from './guest-store.ts'
import type { Cart, MergedCart } from './model.ts'
import { NotDone } from './not-done.ts'
import type { Exclusively } from './session.ts'

export interface MergeOptions {
  readonly client: Pick<Client, 'post'>
  readonly guest: GuestStore
  readonly exclusively: Exclusively
}

/** A line that is not, or not wholly, in the account's cart. */
export interface LeftOut {
  readonly name: string
  /** How many were left out. */
  readonly quantity: number
  /** Absent: the merge was refused as a whole. */
  readonly reason?: MergedCart['notMerged'][number]['reason']
}

/** Undefined `cart`: the merge was refused for good, and nothing of it is in the account's cart. */
export interface MergeOutcome {
  readonly cart?: Cart
  readonly leftOut: readonly LeftOut[]
}

/**
 * Takes the guest's cart of this browser into the cart of `account`, once: before anything is sent it is put aside as this
 * account's, and its id is the key, so that a crash, a reload or a second tab goes on with the same operation. Undefined: there
 * is nothing to merge. Throws {@link NotDone} where nobody can say yet; the next call goes on.
 */
export function mergeGuestCart(
  account: string,
  { client, guest, exclusively }: MergeOptions,
): Promise<MergeOutcome | undefined> {
  return exclusively('pantry:guest-merge', async () => {
    const { merging } = await guest.change((entry) => putAside(entry, account))
    const begun = merging.find((one) => one.account === account)
    if (!begun) return undefined
    const { id, lines } = begun.cart
    const items = lines.map(({ productId, variantId, quantity }) => ({ productId, variantId, quantity }))
    const verdict = await client.post<MergedCart>('/api/cart/merge', { items }, { key: id })
    if (verdict.outcome !== 'succeeded' && verdict.outcome !== 'failed') throw new NotDone(verdict)
    await guest.change((entry) => ({ ...entry, merging: entry.merging.filter((one) => one.cart.id !== id) }))
    if (verdict.outcome === 'failed') return { leftOut: lines.map(({ name, quantity }) => ({ name, quantity })) }
    const { notMerged, ...cart } = verdict.result
    return { cart, leftOut: notMerged.map((left) => nameOf(begun, left)) }
  })
}

function putAside({ cart, merging }: ReturnType<GuestStore['read']>, account: string) {
  const underWay = merging.some((one) => one.account === account)
  if (underWay || cart === undefined) return { cart, merging }
  return { merging: cart.lines.length === 0 ? merging : [...merging, { account, cart }] }
}

function nameOf({ cart }: BegunMerge, left: MergedCart['notMerged'][number]): LeftOut {
  const line = cart.lines.find(
    ({ productId, variantId }) => productId === left.productId && (left.variantId ?? variantId) === variantId,
  )
  return { name: line?.name ?? left.productId, quantity: left.quantity, reason: left.reason }
}
