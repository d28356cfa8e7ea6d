import type { SqlTransaction } from 'safepoint'
import { isId } from '../http.ts'
import type { LineChange, NotMerged } from './cart.ts'
import { mergeLines, type GivenLine, type MergedLine } from './merge-lines.queries.ts'

/** Adds lines to a locked cart, and says line by line what did not get in, and why. */
export async function mergeIntoCart(
  tx: SqlTransaction,
  {
    cartId,
    lines,
    unsold = false,
  }: {
    readonly cartId: string
    readonly lines: readonly GivenLine[]
    /** Also what has left the catalogue. */
    readonly unsold?: boolean
  },
): Promise<{ readonly changes: LineChange[]; readonly notMerged: NotMerged[] }> {
  // What is no id of ours names nothing; the database would take offence at it.
  const named = lines.filter(isNamed)
  const merged = await mergeLines(tx, { cartId, lines: named, unsold })
  const outcome = new Map(named.map((line, place) => [line, merged[place]!]))
  return { changes: listChanges(merged), notMerged: listNotMerged(lines, outcome, unsold) }
}

const isNamed = ({ productId, variantId }: GivenLine) => isId(productId) && (variantId === undefined || isId(variantId))

/** One for each line of the cart that was written. */
function listChanges(merged: readonly MergedLine[]): LineChange[] {
  const changes = new Map<string, LineChange>()
  for (const { variantId, before, written } of merged) {
    if (variantId === undefined || !written) continue
    changes.set(variantId, { itemId: written.itemId, variantId, from: before, to: written.quantity })
  }
  return [...changes.values()]
}

/** Where the lines of one variant are more than fits, the first ones got in. */
function listNotMerged(
  lines: readonly GivenLine[],
  outcome: ReadonlyMap<GivenLine, MergedLine>,
  unsold: boolean,
): NotMerged[] {
  const room = new Map<string, number>()
  return lines.flatMap((line) => {
    const { productId, variantId, quantity } = line
    const left = (of: number, reason: NotMerged['reason']): NotMerged[] =>
      of === 0 ? [] : [{ productId, ...(variantId !== undefined && { variantId }), quantity: of, reason }]
    const became = outcome.get(line)
    if (became?.variantId === undefined) return left(quantity, 'product_not_found')
    if (!became.sold && !unsold) return left(quantity, 'product_unavailable')
    const { before, written } = became
    if (!written && before === 0) return left(quantity, 'cart_full')
    const open = room.get(became.variantId) ?? (written ? written.quantity - before : 0)
    const taken = Math.min(open, quantity)
    room.set(became.variantId, open - taken)
    return left(quantity - taken, 'quantity_limit')
  })
}
