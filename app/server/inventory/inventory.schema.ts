import { z } from 'zod'
import { text } from '../accounts/accounts.schema.ts'
import { pageQuery } from '../http.ts'
import type { Movement, StockRow } from './inventory.queries.ts'
import { movementKinds, type Adjusted } from './inventory.ts'

/** Of one delivery, or one loss. */
const largestDelta = 1_000_000

export const stockAdjustment = z.strictObject({
  variantId: z.string().max(100),
  delta: z
    .int()
    .min(-largestDelta)
    .max(largestDelta)
    .refine((delta) => delta !== 0, 'must not be 0'),
  reason: text(500)
    .refine((reason) => reason !== 'sale', 'sales are booked by their orders')
    .meta({
      description: 'Begins with `delivery`, `return`, `correction` or `loss`; other words make it a correction.',
    }),
})

const level = { onHand: z.int(), reserved: z.int(), available: z.int() }

export const adjusted = z.strictObject({
  variantId: z.string(),
  movementId: z.string(),
  ...level,
}) satisfies z.ZodType<Adjusted>

const movement = z.strictObject({
  id: z.string(),
  delta: z.int(),
  kind: z.enum(movementKinds),
  reason: z.string().meta({ description: 'As it was given; else the same as `kind`.' }),
  orderId: z.string().optional(),
  operationId: z.string().optional(),
  actor: z.string().optional(),
  at: z.string(),
}) satisfies z.ZodType<Movement>

export const movementPage = z.strictObject({ items: z.array(movement), nextCursor: z.string().nullable() })

export const stockQuery = pageQuery.extend({
  below: z.coerce.number().int().min(-1_000_000_000).max(1_000_000_000).optional(),
})

const stockRow = z.strictObject({
  variantId: z.string(),
  productId: z.string(),
  sku: z.string(),
  product: z.string(),
  variant: z.string(),
  ...level,
}) satisfies z.ZodType<StockRow>

export const stockPage = z.strictObject({ items: z.array(stockRow), nextCursor: z.string().nullable() })
