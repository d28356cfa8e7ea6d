import { z } from 'zod'
import { money } from '../catalog/catalog.schema.ts'
import { lineLimit, notMergedReasons, quantityLimit, type Cart, type MergedCart } from './cart.ts'

export const cartItem = z.strictObject({
  id: z.string(),
  productId: z.string(),
  variantId: z.string(),
  name: z.string(),
  quantity: z.int(),
  unitPrice: money,
  totalPrice: money,
  available: z.boolean(),
})

export const cart = z.strictObject({
  id: z.string(),
  version: z.int(),
  items: z.array(cartItem),
  itemsCount: z.int(),
  totalItems: z.int(),
  totalPrice: money,
  hasUnavailableItems: z.boolean(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
}) satisfies z.ZodType<Cart>

export const mergedCart = cart.extend({
  /** What did not get into the cart, line by line as it was given. */
  notMerged: z.array(
    z.strictObject({
      productId: z.string(),
      variantId: z.string().optional(),
      quantity: z.int(),
      reason: z.enum(notMergedReasons),
    }),
  ),
}) satisfies z.ZodType<MergedCart>

/** Ids are opaque: what is none of ours names nothing, and is answered as such. */
const id = z.string().min(1).max(100)

export const addition = z.strictObject({
  productId: id,
  /** Default: the product's first variant. */
  variantId: id.optional(),
  quantity: z.int().min(1).max(quantityLimit),
})

/** A cart that was filled before anybody logged in. */
export const guestCart = z.strictObject({ items: z.array(addition).max(lineLimit) })

export const quantityChange = z.strictObject({ id, quantity: z.int().min(0).max(quantityLimit) })
export const removal = z.strictObject({ id })
