import { z } from 'zod'
import { text } from '../accounts/accounts.schema.ts'
import { money, nutrition, productQuery } from './catalog.schema.ts'
import type { AdminProduct } from './view-stored-product.ts'

/** Up to which a price and its differences stay exact in the database's integer. */
const largestAmount = 1_000_000_000

const price = z
  .strictObject({ amount: z.int().min(1).max(largestAmount), currency: z.string().regex(/^[A-Z]{3}$/) })
  .meta({ description: "Integer minor units, in the shop's currency." })

/** What the database keeps exactly: hundredths of a gram. */
const grams = z.number().min(0).max(100).multipleOf(0.01)

const nutritionFacts = z
  .strictObject({
    per: z.enum(['100 g', '100 ml']),
    kcal: z.number().min(0).max(1000).multipleOf(0.1),
    protein: grams,
    carbohydrate: grams,
    sugar: grams,
    fat: grams,
    fibre: grams,
    salt: grams,
  })
  .refine(({ sugar, carbohydrate }) => sugar <= carbohydrate, 'there is no more sugar than carbohydrate')
  .refine(
    ({ protein, carbohydrate, fat }) => Math.round((protein + carbohydrate + fat) * 100) <= 10_100,
    'protein, carbohydrate and fat come to more than there is',
  )

const sku = z.string().regex(/^[\w.-]{1,80}$/, 'has letters, digits, dots, hyphens and underscores only')
/** A picture that this server has; pages load from no other host. */
const image = z
  .string()
  .regex(/^\/images\/[\w-]{1,100}\.svg$/, 'must be a picture of this server, such as /images/rice.svg')
const id = z.string().max(100)
const priceDifference = z.int().min(-largestAmount).max(largestAmount)
const contentG = z.int().min(1).max(1_000_000)

const newVariant = z.strictObject({
  name: text(120),
  sku: sku.optional(),
  priceDifference: priceDifference.optional(),
  contentG,
})

const fields = {
  name: text(200),
  description: text(2000),
  category: text(60),
  image,
  price,
  nutrition: nutritionFacts,
}

export const newProduct = z.strictObject({ ...fields, variants: z.array(newVariant).min(1).max(100) })

/** What is left out stays as it is. */
export const productChange = z.strictObject({
  id,
  name: fields.name.optional(),
  description: fields.description.optional(),
  category: fields.category.optional(),
  image: image.optional(),
  price: price.optional(),
  nutrition: nutritionFacts.optional(),
  // Archiving is what DELETE does; this brings it back.
  archived: z.literal(false).optional(),
  variants: z
    .strictObject({
      add: z.array(newVariant).max(100).optional(),
      change: z
        .array(
          z.strictObject({
            id,
            name: text(120).optional(),
            sku: sku.optional(),
            priceDifference: priceDifference.optional(),
            contentG: contentG.optional(),
          }),
        )
        .max(100)
        .optional(),
      archive: z.array(id).max(100).optional(),
      restore: z.array(id).max(100).optional(),
    })
    .optional(),
})

export const productRemoval = z.strictObject({ id })

export const adminProduct = z.strictObject({
  id: z.string(),
  version: z.int(),
  archived: z.boolean(),
  name: z.string(),
  description: z.string(),
  category: z.string(),
  image: z.string(),
  price: money,
  nutrition,
  variants: z.array(
    z.strictObject({
      id: z.string(),
      sku: z.string(),
      name: z.string(),
      position: z.int(),
      priceDifference: z.int(),
      price: money,
      contentG: z.int(),
      archived: z.boolean(),
      stock: z.strictObject({ onHand: z.int(), reserved: z.int(), available: z.int() }),
    }),
  ),
}) satisfies z.ZodType<AdminProduct>

export const adminProductQuery = productQuery.extend({ archived: z.enum(['true', 'false']).optional() })

export const adminProductPage = z.strictObject({ items: z.array(adminProduct), nextCursor: z.string().nullable() })

export const archivedProduct = z.strictObject({ id: z.string(), archived: z.literal(true), version: z.int() })
