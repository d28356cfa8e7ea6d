import type { Problem } from 'safepoint/client'
import type { CartFigures } from './cart-figures.ts'

/** Refusals that mean one thing: what this page shows as the cart is not what the server has. */
const syncCodes: ReadonlySet<string> = new Set(['cart_not_found', 'cart_item_not_found', 'cart_changed', 'cart_empty'])

const counted = new WeakSet<Problem>()

/**
 * Whether a refusal says that the cart is out of step, by its code and never by its words, which are for people and in their
 * language. Each is counted once, however many see it.
 */
export function noteSyncError(problem: Problem | undefined, figures: Pick<CartFigures, 'count'>): boolean {
  if (problem === undefined || !syncCodes.has(problem.code)) return false
  if (!counted.has(problem)) figures.count('cart_sync_error')
  counted.add(problem)
  return true
}
