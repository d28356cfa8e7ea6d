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
const gramsOrNone = grams.default(0)

const nutritionFacts = z
  .strictObject({
    per: z.enum(['100 g', '100 ml']).default('100 g'),
    kcal: z.number().min(0).max(1000).multipleOf(0.1).default(0),
    protein: gramsOrNone,
    carbohydrate: gramsOrNone,
    sugar: gramsOrNone,
    fat: gramsOrNone,
    fibre: gramsOrNone,
    salt: gramsOrNone,
  })
  .refine(({ sugar, carbohydrate }) => sugar <= carbohydrate, 'there is no more sugar than carbohydrate')
  .refine(
    ({ protein, carbohydrate, fat }) => Math.round((protein + carbohydrate + fat) * 100) <= 10_100,
    'protein, carbohydrate and fat come to more than there is',
  )

const sku = z.string().regex(/^[\w.-]{1,80}$/, 'has letters, digits, dots, hyphens and underscores only')
/** A picture of this server, or one that other clients show: the pages of this server load from no other host. */
const image = z
  .string()
  .max(500)
  .refine(
    (value) => /^(?:\/[\w-]+)+\.\w+$/.test(value) || (value.startsWith('https://') && URL.canParse(value)),
    'must be a picture of this server, such as /images/rice.svg, or an https URL',
  )
const id = z.string().max(100)
const priceDifference = z.int().min(-largestAmount).max(largestAmount)
const contentG = z.int().min(1).max(1_000_000)
/** What a variant costs, either as it is or as what it costs more than the product. */
const variantPrice = { price: price.optional(), priceDifference: priceDifference.optional() }
const saysPriceOnce = [
  (variant: { price?: unknown; priceDifference?: unknown }) =>
    variant.price === undefined || variant.priceDifference === undefined,
  'has a price and a difference: say one of them',
] as const

const newVariant = z
  .strictObject({
    name: text(120),
    sku: sku.optional(),
    ...variantPrice,
    contentG: contentG.default(100),
    stock: z.int().min(0).max(1_000_000).optional().meta({ description: 'What is on the shelf from the beginning.' }),
  })
  .refine(...saysPriceOnce)

const fields = {
  name: text(200),
  description: text(2000),
  category: text(60),
  image,
  price,
  nutrition: nutritionFacts,
}

export const newProduct = z.strictObject({
  ...fields,
  description: z.union([fields.description, z.literal('')]).default(''),
  category: fields.category.default('other'),
  image: z.union([image, z.literal('')]).default(''),
  nutrition: nutritionFacts.prefault({}),
  variants: z.array(newVariant).min(1).max(100),
})

const variantChange = z
  .strictObject({
    id,
    name: text(120).optional(),
    sku: sku.optional(),
    ...variantPrice,
    contentG: contentG.optional(),
  })
  .refine(...saysPriceOnce)

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
    .union([
      z.array(variantChange).max(100).meta({ description: 'Changes of the variants that are named.' }),
      z.strictObject({
        add: z.array(newVariant).max(100).optional(),
        change: z.array(variantChange).max(100).optional(),
        archive: z.array(id).max(100).optional(),
        restore: z.array(id).max(100).optional(),
      }),
    ])
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
      stock: z.int().meta({ description: 'What can be ordered now.' }),
      onHand: z.int(),
      reserved: z.int(),
    }),
  ),
}) satisfies z.ZodType<AdminProduct>

export const adminProductQuery = productQuery.extend({ archived: z.enum(['true', 'false']).optional() })

export const adminProductPage = z.strictObject({ items: z.array(adminProduct), nextCursor: z.string().nullable() })

export const archivedProduct = z.strictObject({ id: z.string(), archived: z.literal(true), version: z.int() })
