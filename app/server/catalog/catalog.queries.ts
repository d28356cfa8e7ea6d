import type { Reader } from '../database.ts'
import { availableSql } from '../inventory/available-stock.ts'
import type { Product } from './catalog.ts'

interface ProductRow {
  id: string
  name: string
  description: string
  category: string
  image: string
  price_amount: number
  currency: string
  per: '100 g' | '100 ml'
  kcal: number
  protein: number
  carbohydrate: number
  sugar: number
  fat: number
  fibre: number
  salt: number
  variants: { id: string; name: string; difference: number; stock: number }[]
}

const productSelect = `
  select p.id, p.name, p.description, p.category, p.image, p.price_amount, p.currency, p.per,
    p.energy_kcal::float8 as kcal, p.protein_g::float8 as protein, p.carbohydrate_g::float8 as carbohydrate,
    p.sugar_g::float8 as sugar, p.fat_g::float8 as fat, p.fibre_g::float8 as fibre, p.salt_g::float8 as salt, v.variants
  from pantry.product p
  cross join lateral (
    select json_agg(json_build_object('id', v.id, 'name', v.name, 'difference', v.price_difference, 'stock', ${availableSql})
      order by v.position) as variants
    from pantry.variant v where v.product_id = p.id and v.archived_at is null
  ) v
  where p.archived_at is null and v.variants is not null`

function productOf(row: ProductRow): Product {
  const { currency } = row
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    category: row.category,
    price: { amount: row.price_amount, currency },
    image: row.image,
    nutrition: {
      per: row.per,
      kcal: row.kcal,
      protein: row.protein,
      carbohydrate: row.carbohydrate,
      sugar: row.sugar,
      fat: row.fat,
      fibre: row.fibre,
      salt: row.salt,
    },
    variants: row.variants.map(({ id, name, difference, stock }) => ({
      id,
      name,
      price: { amount: row.price_amount + difference, currency },
      stock,
    })),
  }
}

export async function findProduct(tx: Reader, id: string): Promise<Product | undefined> {
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

/** By name. `search` matches anywhere in name, description or category, in any case; `%` and `_` are themselves. */
export async function listProducts(tx: Reader, { search, limit, after }: ProductListing): Promise<Product[]> {
  const pattern = search ? `%${search.replace(/[\\%_]/g, '\\$&')}%` : null
  const { rows } = await tx.query<ProductRow>({
    name: 'catalog_list',
    text: `${productSelect}
      and ($1::text is null or p.name ilike $1::text or p.description ilike $1::text or p.category ilike $1::text)
      and ($2::text is null or (p.name, p.id) > ($2::text, $3::uuid))
      order by p.name, p.id limit $4::int`,
    values: [pattern, after?.[0] ?? null, after?.[1] ?? null, limit],
  })
  return rows.map(productOf)
}
