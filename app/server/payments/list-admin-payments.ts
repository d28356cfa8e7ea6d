import type { Reader } from '../database.ts'
import { attentionOf, type FindRun } from './attention.ts'
import { listDisputesOf } from './find-dispute.ts'
import { listPayments, type PaymentFilter } from './list-payments.ts'
import { viewDispute, viewPayment, type AdminPayment } from './payments.schema.ts'

/** A page of payments as administrators see them; of `unsettled` ones those that wait for a human. `last`: where the next page begins. */
export async function listAdminPayments(
  reader: Reader,
  findRun: FindRun,
  filter: PaymentFilter,
): Promise<{ readonly items: AdminPayment[]; readonly last: string | undefined }> {
  const { unsettled, limit } = filter
  const found = await listPayments(reader, { ...filter, limit: limit + 1 })
  const page = found.slice(0, limit)
  const disputes = Map.groupBy(
    await listDisputesOf(
      reader,
      page.map(({ payment }) => payment.id),
    ),
    ({ ourPaymentId }) => ourPaymentId,
  )
  const viewed = await Promise.all(
    page.map(async (one): Promise<AdminPayment> => {
      const own = disputes.get(one.payment.id) ?? []
      const attention = await attentionOf(one, own, findRun)
      return {
        ...viewPayment(one.payment),
        ...(own.length > 0 && { disputes: own.map(viewDispute) }),
        ...(attention && { attention }),
      }
    }),
  )
  return {
    items: unsettled ? viewed.filter(({ attention }) => attention) : viewed,
    last: found.length > limit ? page.at(-1)?.payment.id : undefined,
  }
}
