import type { Cart, CartItem, Money } from './model.ts'

/** A change of a cart that was asked for. */
export type CartEdit =
  | {
      readonly kind: 'add'
      readonly productId: string
      /** Default: the product's first variant. */
      readonly variantId?: string | undefined
      readonly quantity: number
    }
  /** 0 removes the line. */
  | { readonly kind: 'set'; readonly itemId: string; readonly quantity: number }
  | { readonly kind: 'remove'; readonly itemId: string }
  | { readonly kind: 'clear' }

/** What is known of a variant before the server has answered. */
export interface KnownVariant {
  readonly variantId: string
  readonly name: string
  readonly unitPrice: Money
  readonly stock: number
}

export type Describe = (productId: string, variantId: string | undefined) => KnownVariant | undefined

const newLine = 'new:'

/** The id, in `cart`, of a line that was shown before the server had given it one; any other id is what it is. */
export function findItemId(cart: Cart | undefined, itemId: string): string | undefined {
  if (!itemId.startsWith(newLine)) return itemId
  return cart?.items.find(({ variantId }) => newLine + variantId === itemId)?.id
}

/** The cart as it will be if all of `edits` succeed. A line that nobody can describe yet is left to the server's answer. */
export function projectCart(cart: Cart, edits: readonly CartEdit[], describe: Describe): Cart {
  if (edits.length === 0) return cart
  return withItems(
    cart,
    edits.reduce((items, edit) => applyEdit(items, edit, describe), cart.items),
  )
}

/** A cart with other lines: its sums follow. */
export function withItems(cart: Cart, items: readonly CartItem[]): Cart {
  return {
    ...cart,
    items,
    itemsCount: items.length,
    totalItems: items.reduce((sum, { quantity }) => sum + quantity, 0),
    totalPrice: {
      amount: items.reduce((sum, { totalPrice }) => sum + totalPrice.amount, 0),
      currency: items[0]?.totalPrice.currency ?? cart.totalPrice.currency,
    },
    hasUnavailableItems: items.some(({ available }) => !available),
  }
}

function applyEdit(items: readonly CartItem[], edit: CartEdit, describe: Describe): readonly CartItem[] {
  switch (edit.kind) {
    case 'clear':
      return []
    case 'remove':
      return items.filter((item) => !isItem(item, edit.itemId))
    case 'set':
      if (edit.quantity === 0) return items.filter((item) => !isItem(item, edit.itemId))
      return items.map((item) => (isItem(item, edit.itemId) ? withQuantity(item, edit.quantity) : item))
    case 'add':
      return addLine(items, edit, describe)
  }
}

function addLine(
  items: readonly CartItem[],
  { productId, variantId, quantity }: Extract<CartEdit, { kind: 'add' }>,
  describe: Describe,
): readonly CartItem[] {
  const known = describe(productId, variantId)
  const wanted = variantId ?? known?.variantId
  if (items.some((item) => item.variantId === wanted))
    return items.map((item) => (item.variantId === wanted ? withQuantity(item, item.quantity + quantity) : item))
  if (known === undefined) return items
  const { name, unitPrice } = known
  const line = { id: newLine + known.variantId, productId, variantId: known.variantId, name, unitPrice }
  return [...items, withQuantity({ ...line, quantity: 0, totalPrice: unitPrice, available: true }, quantity)]
}

/** By either of its ids: a press may come from what was shown a moment before. */
function isItem(item: CartItem, itemId: string): boolean {
  return item.id === itemId || newLine + item.variantId === itemId
}

function withQuantity(item: CartItem, quantity: number): CartItem {
  const { amount, currency } = item.unitPrice
  return { ...item, quantity, totalPrice: { amount: amount * quantity, currency } }
}
