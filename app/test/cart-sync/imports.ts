import { uuidv7 } from 'safepoint'
import type pg from 'pg'

/** What an import does: carts of the past beside the active one, each with its lines by variant. */
export async function importCarts(
  sql: pg.Pool,
  accountId: string,
  carts: ReadonlyArray<Readonly<Record<string, number>>>,
): Promise<void> {
  for (const [day, lines] of carts.entries())
    await sql.query(
      `with cart as (
        insert into pantry.cart (id, account_id, state, created_at)
        values ($1::uuid, $2::uuid, 'imported', timestamptz '2020-01-01' + $3::int * interval '1 day') returning id
      )
      insert into pantry.cart_item (id, cart_id, variant_id, quantity)
      select gen_random_uuid(), cart.id, l.key::uuid, l.value::int from cart, jsonb_each_text($4::jsonb) as l`,
      [uuidv7(), accountId, day, JSON.stringify(lines)],
    )
}

/** How many carts an account has, by state. */
export async function listCarts(sql: pg.Pool, accountId: string): Promise<Record<string, number>> {
  const { rows } = await sql.query<{ state: string; count: number }>(
    'select state, count(*)::int from pantry.cart where account_id = $1::uuid group by state',
    [accountId],
  )
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]))
}

/** What of these accounts' carts and orders does not agree, in words. */
export async function findInconsistent(sql: pg.Pool, accountIds: readonly string[]): Promise<string[]> {
  const { rows } = await sql.query<{ line: string }>(
    `with cart as (
      select id, account_id, state from pantry.cart where account_id = any ($1::uuid[])
    ), ordered as (
      select o.id, o.cart_id, o.account_id, o.total,
        (select jsonb_object_agg(l.variant_id, l.quantity) from pantry.order_line l where l.order_id = o.id) as lines,
        (select jsonb_object_agg(i.variant_id, i.quantity) from pantry.cart_item i where i.cart_id = o.cart_id) as was,
        (select sum(l.quantity * l.unit_price) from pantry.order_line l where l.order_id = o.id) as sum
      from pantry.orders o where o.account_id = any ($1::uuid[])
    )
    select format('account %s has %s active carts', a.id, count(cart.id)) as line
      from unnest($1::uuid[]) as a (id) left join cart on cart.account_id = a.id and cart.state = 'active'
      group by a.id having count(cart.id) <> 1
    union all
    select format('line %s has no cart', i.id) from pantry.cart_item i
      where not exists (select from pantry.cart c where c.id = i.cart_id)
    union all
    select format('line %s has no variant', i.id) from pantry.cart_item i
      where not exists (select from pantry.variant v where v.id = i.variant_id)
    union all
    select format('order %s has %s, and its cart had %s', o.id, o.lines, o.was) from ordered o
      where o.lines is distinct from o.was
    union all
    select format('order %s costs %s, and its lines %s', o.id, o.total, o.sum) from ordered o where o.total <> o.sum
    union all
    select format('order %s is made from cart %s, which is %s', o.id, o.cart_id, c.state)
      from ordered o join pantry.cart c on c.id = o.cart_id where c.state <> 'ordered' or c.account_id <> o.account_id`,
    [accountIds],
  )
  return rows.map(({ line }) => line)
}
