import { withItems, type CartEdit } from './cart-edits.ts'
import { CartRefused } from './cart-refused.ts'
import type { CatalogueMemory } from './catalogue-memory.ts'
import { newGuestCart, type GuestLine, type GuestStore, type StoredGuestCart } from './guest-store.ts'
import type { Cart, CartItem } from './model.ts'

/** The cart of somebody who has not signed in. It lives in this browser, and reads like one of the server. */
export interface GuestCart {
  /** With the catalogue's prices. Where the catalogue cannot be read, with the last ones known. */
  read(): Promise<Cart>
  /** Throws {@link CartRefused}. */
  change(edit: CartEdit): Promise<Cart>
}

export interface GuestCartOptions {
  readonly guest: GuestStore
  readonly catalogue: Pick<CatalogueMemory, 'find' | 'describe' | 'currency'>
}

/** The server's own limits. */
const quantityLimit = 999
const lineLimit = 200

export function createGuestCart({ guest, catalogue }: GuestCartOptions): GuestCart {
  async function priced({ lines, ...stored }: StoredGuestCart): Promise<Cart> {
    // A shop that cannot be reached does not take a guest's cart from them.
    await Promise.all(lines.map(({ productId }) => catalogue.find(productId).catch(() => undefined)))
    const currency = catalogue.currency() ?? lines[0]?.unitPrice.currency ?? noCurrency
    const sums = { itemsCount: 0, totalItems: 0, totalPrice: { amount: 0, currency }, hasUnavailableItems: false }
    return withItems({ ...stored, items: [], ...sums }, lines.map(itemOf))
  }

  function itemOf(line: GuestLine): CartItem {
    const { productId, variantId, quantity } = line
    const known = catalogue.describe(productId, variantId)
    const { name, unitPrice } = known ?? line
    const totalPrice = { amount: unitPrice.amount * quantity, currency: unitPrice.currency }
    const available = known !== undefined && known.stock >= quantity
    return { id: variantId, productId, variantId, name, quantity, unitPrice, totalPrice, available }
  }

  async function lineOf({ productId, variantId, quantity }: Extract<CartEdit, { kind: 'add' }>): Promise<GuestLine> {
    // What was seen can be chosen without a connection; its price is looked at when the cart is read.
    if (!catalogue.describe(productId, variantId)) await catalogue.find(productId)
    const known = catalogue.describe(productId, variantId)
    if (!known) throw new CartRefused('product_not_found', 'There is no such product.')
    return { productId, variantId: known.variantId, quantity, name: known.name, unitPrice: known.unitPrice }
  }

  return {
    read: () => priced(guest.read().cart ?? newGuestCart()),
    async change(edit) {
      const added = edit.kind === 'add' ? await lineOf(edit) : undefined
      const { cart } = await guest.change(({ cart: before = newGuestCart(), merging }) => {
        const lines = edit.kind === 'add' ? addLine(before.lines, added!) : changeLines(before.lines, edit)
        const updatedAt = new Date().toISOString()
        return { merging, cart: { ...before, version: before.version + 1, lines, updatedAt } }
      })
      return priced(cart!)
    },
  }
}

/** ISO 4217's code for none: of a cart that is empty, before any price was seen. */
const noCurrency = 'XXX'

function addLine(lines: readonly GuestLine[], added: GuestLine): readonly GuestLine[] {
  const there = lines.find(({ variantId }) => variantId === added.variantId)
  const quantity = (there?.quantity ?? 0) + added.quantity
  if (quantity > quantityLimit) throw new CartRefused('quantity_limit', 'A line has a limit.')
  if (there) return lines.map((line) => (line === there ? { ...added, quantity } : line))
  if (lines.length >= lineLimit) throw new CartRefused('cart_full', 'A cart has a limit of lines.')
  return [...lines, added]
}

function changeLines(lines: readonly GuestLine[], edit: Exclude<CartEdit, { kind: 'add' }>): readonly GuestLine[] {
  if (edit.kind === 'clear') return []
  const is = ({ variantId }: GuestLine) => variantId === edit.itemId
  if (edit.kind === 'remove' || edit.quantity === 0) return lines.filter((line) => !is(line))
  if (!lines.some(is)) throw new CartRefused('cart_item_not_found', 'There is no such line in the cart.')
  if (edit.quantity > quantityLimit) throw new CartRefused('quantity_limit', 'A line has a limit.')
  return lines.map((line) => (is(line) ? { ...line, quantity: edit.quantity } : line))
}
