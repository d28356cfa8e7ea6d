import { refuse, SafepointError, uuidv7 } from 'safepoint'
import type { Nutrition } from './catalog.ts'
import type { Money } from './money.ts'

/** What an administrator says of a product. */
export interface ProductFields {
  readonly name: string
  readonly description: string
  readonly category: string
  readonly image: string
  readonly price: Money
  readonly nutrition: Nutrition
}

export interface StoredVariant {
  readonly id: string
  readonly sku: string
  readonly name: string
  /** 0 is the one meant where nobody names a variant. No two of a product ever have the same. */
  readonly position: number
  /** Minor units that are added to the product's price; may be negative. */
  readonly priceDifference: number
  /** Net content in grams, or millilitres. */
  readonly contentG: number
  readonly archived: boolean
}

/** A product as it is stored, with what was archived. */
export interface StoredProduct extends ProductFields {
  readonly id: string
  readonly version: number
  readonly archived: boolean
  /** In their order. */
  readonly variants: readonly StoredVariant[]
}

export interface NewVariant {
  readonly name: string
  readonly sku?: string | undefined
  readonly price?: Money | undefined
  readonly priceDifference?: number | undefined
  readonly contentG: number
  /** What comes onto its shelf with it. */
  readonly stock?: number | undefined
}

export interface VariantChanges {
  readonly add?: readonly NewVariant[] | undefined
  readonly change?:
    | ReadonlyArray<
        { readonly id: string } & { readonly [Name in keyof Omit<NewVariant, 'stock'>]?: NewVariant[Name] | undefined }
      >
    | undefined
  readonly archive?: readonly string[] | undefined
  readonly restore?: readonly string[] | undefined
}

export interface ProductChange {
  readonly fields: { readonly [Name in keyof ProductFields]?: ProductFields[Name] | undefined }
  readonly archived?: boolean | undefined
  readonly variants?: VariantChanges | undefined
}

/** Variants of one product that are sold. */
export const variantLimit = 20

/**
 * The product as it would be after a change. Throws `variant_not_found`, `variant_required`, `variant_limit`, and `input_invalid`
 * where a variant would cost nothing or less.
 */
export function decideProduct(
  before: StoredProduct,
  { fields, archived, variants = {} }: ProductChange,
): StoredProduct {
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  const { amount } = fields.price ?? before.price
  const after: StoredProduct = {
    ...before,
    ...given,
    archived: archived ?? before.archived,
    variants: decideVariants(before.variants, variants, amount),
  }
  const sold = after.variants.filter((variant) => !variant.archived)
  if (sold.length === 0) throw refuse('variant_required', 'A product has at least one variant.')
  if (sold.length > variantLimit)
    throw refuse('variant_limit', 'A product has a limit of variants.', { details: { limit: variantLimit } })
  const errors = sold
    .filter(({ priceDifference }) => after.price.amount + priceDifference < 1)
    .map(({ name }) => ({ path: 'variants', message: `"${name}" would cost nothing or less` }))
  if (errors.length > 0) throw new SafepointError('input_invalid', 'The input is not valid.', { details: { errors } })
  return after
}

/** `amount`: what the product costs then. */
function decideVariants(before: readonly StoredVariant[], changes: VariantChanges, amount: number): StoredVariant[] {
  const { add = [], change = [], archive = [], restore = [] } = changes
  const variants = new Map(before.map((variant) => [variant.id, variant]))
  const put = (id: string, next: Partial<StoredVariant>) => {
    const known = variants.get(id.toLowerCase())
    if (!known) throw refuse('variant_not_found', 'The product has no such variant.', { details: { id } })
    const said = Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined))
    variants.set(known.id, { ...known, ...said, id: known.id })
  }
  for (const { id, price, priceDifference, ...next } of change)
    put(id, { ...next, priceDifference: price ? price.amount - amount : priceDifference } as Partial<StoredVariant>)
  for (const id of archive) put(id, { archived: true })
  for (const id of restore) put(id, { archived: false })
  let position = Math.max(-1, ...before.map((variant) => variant.position))
  for (const { name, sku, price, priceDifference = 0, contentG } of add) {
    const id = uuidv7()
    variants.set(id, {
      id,
      sku: sku ?? id,
      name,
      position: ++position,
      priceDifference: price ? price.amount - amount : priceDifference,
      contentG,
      archived: false,
    })
  }
  return [...variants.values()]
}

/** Variants that are not as they were, those that let go of a SKU first: another may take it in the same statement. */
export function changedVariants(before: readonly StoredVariant[], after: readonly StoredVariant[]): StoredVariant[] {
  const known = new Map(before.map((variant) => [variant.id, JSON.stringify(inOrder(variant))]))
  return after
    .filter((variant) => known.get(variant.id) !== JSON.stringify(inOrder(variant)))
    .sort((a, b) => Number(b.archived) - Number(a.archived))
}

const inOrder = ({ id, sku, name, position, priceDifference, contentG, archived }: StoredVariant) => [
  id,
  sku,
  name,
  position,
  priceDifference,
  contentG,
  archived,
]
