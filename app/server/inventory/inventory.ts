/** How much of a variant is wanted, or held. */
export interface StockLine {
  readonly variantId: string
  readonly quantity: number
}

/** A line that cannot be served, with what can be had of it now. */
export interface ShortLine extends StockLine {
  readonly available: number
}

export type Reserved =
  | { readonly reserved: true; readonly expiresAt: Date }
  /** Roll back: what was there of the other lines is reserved in this transaction. */
  | { readonly reserved: false; readonly short: readonly ShortLine[] }

/** What the ledger counts a movement as. */
export const movementKinds = ['delivery', 'sale', 'return', 'correction', 'loss'] as const
export type MovementKind = (typeof movementKinds)[number]

/** What an administrator gives as a reason is a kind, or words: their first one may be a kind, else they make it a correction. */
export const decideMovement = (reason: string): { readonly kind: MovementKind; readonly note?: string } => {
  const first = /^[a-z]+/i.exec(reason)?.[0].toLowerCase()
  // Sales are booked by their orders.
  const kind = movementKinds.find((one) => one === first && one !== 'sale') ?? 'correction'
  return reason === kind ? { kind } : { kind, note: reason }
}

/** What the shelf has of a variant. */
export interface StockLevel {
  readonly onHand: number
  /** Held by reservations whose time is not up. */
  readonly reserved: number
  /** Can be ordered now: on hand less reserved. */
  readonly available: number
}

/** A shelf after a movement. */
export interface Adjusted extends StockLevel {
  readonly variantId: string
  readonly movementId: string
}

/** More than a shelf has: what is above is a slip of the keyboard. */
export const stockLimit = 1_000_000_000

export const levelOf = ({ onHand, reserved }: { readonly onHand: number; readonly reserved: number }): StockLevel => ({
  onHand,
  reserved,
  available: onHand - reserved,
})

/** One entry a variant, in id order: stock rows are locked in one order everywhere, and demand is never split. */
export function sumDemand(lines: readonly StockLine[]): StockLine[] {
  const demand = new Map<string, number>()
  for (const { variantId, quantity } of lines) demand.set(variantId, (demand.get(variantId) ?? 0) + quantity)
  return [...demand]
    .map(([variantId, quantity]) => ({ variantId, quantity }))
    .sort((a, b) => (a.variantId < b.variantId ? -1 : 1))
}
