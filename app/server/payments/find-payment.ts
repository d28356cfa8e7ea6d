import type { Reader } from '../database.ts'
import { paymentOf, type Payment, type PaymentRow } from './payments.ts'

/** Of one account only, where one is given: another's payment is as good as none. */
export async function findPayment(reader: Reader, id: string, accountId?: string): Promise<Payment | undefined> {
  const { rows } = await reader.query<{ payment: PaymentRow }>({
    name: 'payments_find',
    text: `select to_json(p) as payment from pantry.payment p join pantry.orders o on o.id = p.order_id
      where p.id = $1::uuid and ($2::uuid is null or o.account_id = $2::uuid)`,
    values: [id, accountId ?? null],
  })
  return rows[0] && paymentOf(rows[0].payment)
}
