import { z } from 'zod'
import { money } from '../catalog/catalog.schema.ts'
import type { Wish } from './wishlist.ts'

export const wishInput = z.strictObject({ productId: z.string().min(1).max(100) })

export const wish = z.strictObject({
  productId: z.string(),
  name: z.string(),
  image: z.string(),
  price: money,
  available: z.boolean(),
  addedAt: z.iso.datetime(),
}) satisfies z.ZodType<Wish>

export const removedWish = z.strictObject({ productId: z.string(), removed: z.literal(true) })
export const wishlistPage = z.strictObject({ items: z.array(wish), nextCursor: z.string().nullable() })
