import { z } from 'zod'
import { money } from '../catalog/catalog.schema.ts'
import { quantityLimit, type Cart } from './cart.ts'

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

/** Ids are opaque: what is none of ours names nothing, and is answered as such. */
const id = z.string().min(1).max(100)

export const addition = z.strictObject({
  productId: id,
  /** Default: the product's first variant. */
  variantId: id.optional(),
  quantity: z.int().min(1).max(quantityLimit),
})

export const quantityChange = z.strictObject({ id, quantity: z.int().min(0).max(quantityLimit) })
export const removal = z.strictObject({ id })
