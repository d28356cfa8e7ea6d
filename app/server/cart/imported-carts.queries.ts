import type { SqlTransaction } from 'safepoint'
import type { Reader } from '../database.ts'

export interface ImportedLine {
  readonly productId: string
  readonly variantId: string
  readonly quantity: number
}

/**
 * Closes an account's imported carts and answers how many, and their lines summed by variant, those of the youngest cart first.
 * Who comes second waits for the first and finds none.
 */
export async function closeImportedCarts(
  tx: SqlTransaction,
  accountId: string,
): Promise<{ readonly carts: number; readonly lines: ImportedLine[] }> {
  const { rows } = await tx.query<{
    carts: number
    product_id: string | null
    variant_id: string
    quantity: number
  }>({
    name: 'cart_close_imported',
    text: `
      with due as materialized (
        select id from pantry.cart where account_id = $1::uuid and state = 'imported' order by id for update
      ), closed as (
        update pantry.cart c set state = 'merged', version = version + 1, updated_at = clock_timestamp()
        from due where c.id = due.id
        returning c.id, c.created_at
      ), line as (
        select i.variant_id, least(sum(i.quantity), 2147483647)::int as quantity,
          max(closed.created_at) as created_at, min(i.id::text) as first
        from closed join pantry.cart_item i on i.cart_id = closed.id
        group by i.variant_id
      )
      select (select count(*)::int from closed) as carts, v.product_id, line.variant_id, line.quantity
      from (select) as always
      left join (line join pantry.variant v on v.id = line.variant_id) on true
      order by line.created_at desc, line.first`,
    values: [accountId],
  })
  return {
    carts: rows[0]?.carts ?? 0,
    lines: rows.flatMap((row) =>
      row.product_id === null ? [] : [{ productId: row.product_id, variantId: row.variant_id, quantity: row.quantity }],
    ),
  }
}

/** Accounts with carts to fold in: the one of an e-mail address, or the next hundred after `after`, by id. */
export async function listImportedAccounts(
  database: Reader,
  { emailKey, after }: { readonly emailKey: string | undefined; readonly after: string | undefined },
): Promise<Array<{ readonly id: string; readonly email: string }>> {
  const { rows } = await database.query<{ id: string; email: string }>({
    name: 'cart_imported_accounts',
    text: `select a.id, a.email from pantry.account a
      where ($1::text is null or a.email_key = $1::text) and ($2::uuid is null or a.id > $2::uuid)
        and exists (select from pantry.cart c where c.account_id = a.id and c.state = 'imported')
      order by a.id
      limit 100`,
    values: [emailKey ?? null, after ?? null],
  })
  return rows
}
