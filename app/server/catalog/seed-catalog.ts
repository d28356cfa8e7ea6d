import { uuidv7 } from 'safepoint'
import type { Reader } from '../database.ts'
import { demoProducts } from './demo-products.ts'

/** Rupees to one unit of a currency, roughly: for play prices that look right. */
const rupeesPer: Readonly<Record<string, number>> = {
  INR: 1,
  USD: 84,
  EUR: 91,
  GBP: 107,
  ILS: 23,
  JPY: 0.56,
  AUD: 55,
  CAD: 60,
  CHF: 95,
}

/** Minor units of `currency`, as ISO 4217 counts them; at least one. */
export function demoPrice(rupees: number, currency: string): number {
  const digits =
    new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  return Math.max(1, Math.round((rupees / (rupeesPer[currency] ?? 1)) * 10 ** digits))
}

/** Fills the demo catalogue with stock and its movements. Products that are there already stay as they are. Answers how many were new. */
export async function seedCatalog(tx: Reader, currency: string): Promise<number> {
  const products = demoProducts.map((product) => ({
    ...product,
    id: uuidv7(),
    price: demoPrice(product.rupees, currency),
  }))
  const variants = products.flatMap((product) =>
    product.variants.map(([name, grams, more, stock], position) => ({
      id: uuidv7(),
      movement: uuidv7(),
      product: product.slug,
      sku: `${product.slug}-${name.replace(/\s+/g, '').toLowerCase()}`,
      name,
      position,
      difference: more === 0 ? 0 : demoPrice(product.rupees + more, currency) - product.price,
      grams,
      stock,
    })),
  )
  const { rows } = await tx.query<{ made: number }>({
    text: `
      with made as (
        insert into pantry.product (id, slug, name, description, category, image, price_amount, currency, per,
          energy_kcal, protein_g, carbohydrate_g, sugar_g, fat_g, fibre_g, salt_g)
        select p.id, p.slug, p.name, p.description, p.category, '/images/' || p.slug || '.svg', p.price, $2::text, coalesce(p.per, '100 g'),
          (p.figures ->> 0)::numeric, (p.figures ->> 1)::numeric, (p.figures ->> 2)::numeric, (p.figures ->> 3)::numeric,
          (p.figures ->> 4)::numeric, (p.figures ->> 5)::numeric, (p.figures ->> 6)::numeric
        from jsonb_to_recordset($1::jsonb) as p (id uuid, slug text, name text, description text, category text, price int, per text, figures jsonb)
        on conflict (slug) do nothing
        returning id, slug
      ), sold as (
        select v.*, made.id as product_id
        from jsonb_to_recordset($3::jsonb) as v
          (id uuid, movement uuid, product text, sku text, name text, position int, difference int, grams int, stock int)
        join made on made.slug = v.product
      ), variants as (
        insert into pantry.variant (id, product_id, sku, name, position, price_difference, content_g)
        select id, product_id, sku, name, position, difference, grams from sold
      ), stocked as (
        insert into pantry.stock (variant_id, on_hand) select id, stock from sold
      ), moved as (
        insert into pantry.stock_movement (id, variant_id, delta, reason, note)
        select movement, id, stock, 'delivery', 'first delivery' from sold where stock > 0
      )
      select count(*)::int as made from made`,
    values: [JSON.stringify(products), currency, JSON.stringify(variants)],
  })
  return rows[0]?.made ?? 0
}
