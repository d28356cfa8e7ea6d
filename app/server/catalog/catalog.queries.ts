import type { Reader } from '../database.ts'
import type { CatalogProduct, Nutrition } from './catalog.ts'

/** The columns of a product `p` that are the same for whoever reads it. */
export interface ProductColumns {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly category: string
  readonly image: string
  readonly price_amount: number
  readonly currency: string
  readonly per: '100 g' | '100 ml'
  readonly kcal: number
  readonly protein: number
  readonly carbohydrate: number
  readonly sugar: number
  readonly fat: number
  readonly fibre: number
  readonly salt: number
  readonly version: number
}

export const productColumns = `p.id, p.name, p.description, p.category, p.image, p.price_amount, p.currency, p.per,
    p.energy_kcal::float8 as kcal, p.protein_g::float8 as protein, p.carbohydrate_g::float8 as carbohydrate,
    p.sugar_g::float8 as sugar, p.fat_g::float8 as fat, p.fibre_g::float8 as fibre, p.salt_g::float8 as salt, p.version`

export function nutritionOf(row: ProductColumns): Nutrition {
  const { per, kcal, protein, carbohydrate, sugar, fat, fibre, salt } = row
  return { per, kcal, protein, carbohydrate, sugar, fat, fibre, salt }
}

interface ProductRow extends ProductColumns {
  readonly variants: readonly { readonly id: string; readonly name: string; readonly difference: number }[]
}

const productSelect = `
  select ${productColumns}, v.variants
  from pantry.product p
  cross join lateral (
    select json_agg(json_build_object('id', v.id, 'name', v.name, 'difference', v.price_difference) order by v.position) as variants
    from pantry.variant v where v.product_id = p.id and v.archived_at is null
  ) v
  where p.archived_at is null and v.variants is not null`

function productOf(row: ProductRow): CatalogProduct {
  const { id, name, description, category, image, currency, version } = row
  return {
    id,
    name,
    description,
    category,
    price: { amount: row.price_amount, currency },
    image,
    nutrition: nutritionOf(row),
    version,
    variants: row.variants.map((variant) => ({
      id: variant.id,
      name: variant.name,
      price: { amount: row.price_amount + variant.difference, currency },
    })),
  }
}

/** Of what is sold. */
export async function findProduct(tx: Reader, id: string): Promise<CatalogProduct | undefined> {
  const { rows } = await tx.query<ProductRow>({
    name: 'catalog_find',
    text: `${productSelect} and p.id = $1::uuid`,
    values: [id],
  })
  return rows[0] && productOf(rows[0])
}

export interface ProductListing {
  readonly search: string | undefined
  readonly limit: number
  /** Name and id of the last one of the page before. */
  readonly after: readonly [name: string, id: string] | undefined
}

/** What finds `search` anywhere, in any case; `%` and `_` are themselves. */
export const patternOf = (search: string | undefined): string | null =>
  search ? `%${search.replace(/[\\%_]/g, '\\$&')}%` : null

/** What is sold, by name; `search` looks in name, description and category. */
export async function listProducts(tx: Reader, { search, limit, after }: ProductListing): Promise<CatalogProduct[]> {
  const { rows } = await tx.query<ProductRow>({
    name: 'catalog_list',
    text: `${productSelect}
      and ($1::text is null or p.name ilike $1::text or p.description ilike $1::text or p.category ilike $1::text)
      and ($2::text is null or (p.name, p.id) > ($2::text, $3::uuid))
      order by p.name, p.id limit $4::int`,
    values: [patternOf(search), after?.[0] ?? null, after?.[1] ?? null, limit],
  })
  return rows.map(productOf)
}
