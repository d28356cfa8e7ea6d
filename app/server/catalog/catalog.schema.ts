import { z } from 'zod'
import { pageQuery } from '../http.ts'
import type { Product } from './catalog.ts'

export const money = z
  .strictObject({ amount: z.int(), currency: z.string() })
  .meta({ description: 'Integer minor units, ISO 4217 code.' })

export const nutrition = z.strictObject({
  per: z.enum(['100 g', '100 ml']),
  kcal: z.number(),
  protein: z.number(),
  carbohydrate: z.number(),
  sugar: z.number(),
  fat: z.number(),
  fibre: z.number(),
  salt: z.number(),
})

export const variant = z.strictObject({ id: z.string(), name: z.string(), price: money, stock: z.int() })

export const product = z.strictObject({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  category: z.string(),
  price: money,
  image: z.string(),
  nutrition,
  variants: z.array(variant).min(1),
}) satisfies z.ZodType<Product>

export const productQuery = pageQuery.extend({
  search: z
    .string()
    .trim()
    .max(100)
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'has characters that are not text')
    .optional(),
})

export const productPage = z.strictObject({ items: z.array(product), nextCursor: z.string().nullable() })
export type ProductPage = z.output<typeof productPage>
