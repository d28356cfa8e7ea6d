import type { SqlTransaction } from 'safepoint'
import type { Reader } from '../database.ts'
import { nutritionOf, patternOf, productColumns, type ProductColumns } from './catalog.queries.ts'
import type { StoredProduct, StoredVariant } from './stored-product.ts'

interface StoredRow extends ProductColumns {
  readonly archived: boolean
  readonly variants: readonly StoredVariant[]
}

const storedSelect = `
  select ${productColumns}, p.archived_at is not null as archived, coalesce((
    select json_agg(json_build_object('id', v.id, 'sku', v.sku, 'name', v.name, 'position', v.position,
      'priceDifference', v.price_difference, 'contentG', v.content_g, 'archived', v.archived_at is not null) order by v.position, v.id)
    from pantry.variant v where v.product_id = p.id
  ), '[]') as variants
  from pantry.product p`

function storedOf(row: StoredRow): StoredProduct {
  const { id, name, description, category, image, version, archived, variants } = row
  return {
    id,
    name,
    description,
    category,
    image,
    price: { amount: row.price_amount, currency: row.currency },
    nutrition: nutritionOf(row),
    version,
    archived,
    variants,
  }
}

export async function findStoredProduct(tx: Reader, id: string): Promise<StoredProduct | undefined> {
  const { rows } = await tx.query<StoredRow>({
    name: 'catalog_stored_find',
    text: `${storedSelect} where p.id = $1::uuid`,
    values: [id],
  })
  return rows[0] && storedOf(rows[0])
}

export interface StoredListing {
  readonly search: string | undefined
  /** `undefined`: whether or not. */
  readonly archived: boolean | undefined
  readonly limit: number
  readonly after: readonly [name: string, id: string] | undefined
}

/** By name; `search` looks in names, categories and SKUs. */
export async function listStoredProducts(tx: Reader, listing: StoredListing): Promise<StoredProduct[]> {
  const { search, archived, limit, after } = listing
  const { rows } = await tx.query<StoredRow>({
    name: 'catalog_stored_list',
    text: `${storedSelect}
      where ($1::text is null or p.name ilike $1::text or p.category ilike $1::text
          or exists (select from pantry.variant v where v.product_id = p.id and v.sku ilike $1::text))
        and ($5::boolean is null or (p.archived_at is not null) = $5::boolean)
        and ($2::text is null or (p.name, p.id) > ($2::text, $3::uuid))
      order by p.name, p.id limit $4::int`,
    values: [patternOf(search), after?.[0] ?? null, after?.[1] ?? null, limit, archived ?? null],
  })
  return rows.map(storedOf)
}

const fieldsOf = ({ name, description, category, image, price, nutrition }: StoredProduct) => [
  name,
  description,
  category,
  image,
  price.amount,
  price.currency,
  nutrition.per,
  nutrition.kcal,
  nutrition.protein,
  nutrition.carbohydrate,
  nutrition.sugar,
  nutrition.fat,
  nutrition.fibre,
  nutrition.salt,
]

export async function insertProduct(tx: SqlTransaction, product: StoredProduct): Promise<void> {
  await tx.query({
    name: 'catalog_insert',
    text: `
      insert into pantry.product (id, slug, name, description, category, image, price_amount, currency, per,
        energy_kcal, protein_g, carbohydrate_g, sugar_g, fat_g, fibre_g, salt_g)
      values ($1::uuid, $1::uuid::text, $2::text, $3::text, $4::text, $5::text, $6::int, $7::text, $8::text,
        $9::numeric, $10::numeric, $11::numeric, $12::numeric, $13::numeric, $14::numeric, $15::numeric)`,
    values: [product.id, ...fieldsOf(product)],
  })
}

/** Replaces what is stored of a product that is at `version`; its version afterwards. `undefined`: it is at another one. */
export async function replaceProduct(
  tx: SqlTransaction,
  product: StoredProduct,
  version: number,
): Promise<number | undefined> {
  const { rows } = await tx.query<{ version: number }>({
    name: 'catalog_replace',
    text: `
      update pantry.product p
      set name = $2::text, description = $3::text, category = $4::text, image = $5::text, price_amount = $6::int,
        currency = $7::text, per = $8::text, energy_kcal = $9::numeric, protein_g = $10::numeric,
        carbohydrate_g = $11::numeric, sugar_g = $12::numeric, fat_g = $13::numeric, fibre_g = $14::numeric,
        salt_g = $15::numeric, archived_at = case when $16::boolean then coalesce(p.archived_at, clock_timestamp()) end,
        version = p.version + 1, updated_at = clock_timestamp()
      where p.id = $1::uuid and p.version = $17::int
      returning p.version`,
    values: [product.id, ...fieldsOf(product), product.archived, version],
  })
  return rows[0]?.version
}

/** Archives a product that is sold and, where one is named, at `version`; its version afterwards. */
export async function archiveStored(
  tx: SqlTransaction,
  { id, version }: { readonly id: string; readonly version: number | undefined },
): Promise<number | undefined> {
  const { rows } = await tx.query<{ version: number }>({
    name: 'catalog_archive',
    text: `
      update pantry.product p set archived_at = clock_timestamp(), version = p.version + 1, updated_at = clock_timestamp()
      where p.id = $1::uuid and p.archived_at is null and ($2::int is null or p.version = $2::int)
      returning p.version`,
    values: [id, version ?? null],
  })
  return rows[0]?.version
}

/** Brings an archived product back that is still at `version`; its version afterwards. */
export async function restoreStored(
  tx: SqlTransaction,
  { id, version }: { readonly id: string; readonly version: number },
): Promise<number | undefined> {
  const { rows } = await tx.query<{ version: number }>({
    name: 'catalog_restore',
    text: `
      update pantry.product p set archived_at = null, version = p.version + 1, updated_at = clock_timestamp()
      where p.id = $1::uuid and p.archived_at is not null and p.version = $2::int
      returning p.version`,
    values: [id, version],
  })
  return rows[0]?.version
}

/**
 * Writes variants as they are to be, in the order given. Under the lock of their product's row. A SKU that another variant has
 * is refused by `variant_sku`.
 */
export async function writeVariants(
  tx: SqlTransaction,
  productId: string,
  variants: readonly StoredVariant[],
): Promise<void> {
  if (variants.length === 0) return
  await tx.query({
    name: 'catalog_write_variants',
    text: `
      insert into pantry.variant as v (id, product_id, sku, name, position, price_difference, content_g, archived_at)
      select w.id, $1::uuid, w.sku, w.name, w.position, w."priceDifference", w."contentG",
        case when w.archived then clock_timestamp() end
      from rows from (
        jsonb_to_recordset($2::jsonb) as (id uuid, sku text, name text, position int, "priceDifference" int, "contentG" int, archived boolean)
      ) with ordinality as w (id, sku, name, position, "priceDifference", "contentG", archived, place)
      order by w.place
      on conflict (id) do update
      set sku = excluded.sku, name = excluded.name, price_difference = excluded.price_difference,
        content_g = excluded.content_g, version = v.version + 1, updated_at = clock_timestamp(),
        archived_at = case when excluded.archived_at is not null then coalesce(v.archived_at, excluded.archived_at) end
      where v.product_id = $1::uuid`,
    values: [productId, JSON.stringify(variants)],
  })
}
