import { defineOperation, expectVersion, refuse, type SqlTransaction } from 'safepoint'
import { z } from 'zod'
import { cancelUnpaidOrders, findUnsettledOrders, forgetOrders } from '../orders/leave-orders.ts'
import { accountOf } from './accounts.ts'
import { findAccount } from './accounts.queries.ts'
import {
  eraseBelongings,
  endSessionsOfClosed,
  lockForClosing,
  markClosed,
  redactMails,
} from './close-account.queries.ts'
import { announceEnded } from './ended-sessions.ts'

/**
 * Closes an account and takes its person out of the shop. Closed twice is closed once.
 *
 * - **Erased**: name, e-mail address, password, language, address book, wishlist, carts, links to a new password; of mails
 *   the mailbox, and those not sent yet are not sent; the customer's own words with an order. The e-mail address can be registered
 *   anew at once, as another account that knows nothing of this one.
 * - **Stays, for the books** (tax law wants them for six to ten years): orders with lines, amounts, payments and history, under a
 *   customer that has no name; and the billing address of what was paid, which is the addressee of its invoice. Of where it was
 *   sent the country stays, and all of it while it has still to be sent (`order_redact`). A payment that arrives late is given
 *   back by the gateway, for which nobody has to log in. Cancel events stay (SPEC.md I9).
 * - **Fades**: answers that the engine keeps under the account's keys, with its retention (30 days).
 *
 * Refused while money may still come or go (`account_unsettled` names the orders); orders that nobody has begun to pay are
 * cancelled with it. The last administrator cannot leave (`last_administrator`).
 *
 * Its sessions end with it, access tokens included. Only the session that closed it may, for the quarter of an hour that its
 * access token has left, repeat this request (under its key it is told the same), ask after its operations, and cancel them.
 *
 * Rivals: a row that refers to the account holds its key, so that this waits for an order, address or cart that was begun before,
 * and `account_open` refuses those that come after. A log-in and a new password lock the account too. A refresh does not: its token
 * then belongs to a session that has ended.
 */
export const closeAccount = defineOperation({
  name: 'account.close',
  input: z.strictObject({}),
  errors: {
    account_unsettled: 'Money of an order may still come or go; `orders` says of which.',
    last_administrator: 'It is the only administrator there is.',
  },
  onDisconnect: 'finish',
  onCancel: 'The account stays open, and nothing is erased.',
  keep: 'What is erased is kept nowhere to be brought back: register again.',
  async run({ tx, scope, ifMatch, operationId }): Promise<void> {
    const accountId = accountOf(scope)
    await cancelUnpaidOrders(tx, { accountId, operationId })
    await lockForClosing(tx, accountId)
    if (!(await markClosed(tx, { id: accountId, version: ifMatch }))) return whyNot(tx, accountId, ifMatch)
    const orders = await findUnsettledOrders(tx, accountId)
    if (orders.length > 0) throw refuse('account_unsettled', 'Orders are unsettled.', { details: { orders } })
    await forgetOrders(tx, accountId)
    await eraseBelongings(tx, accountId)
    await redactMails(tx, accountId)
    announceEnded(tx, await endSessionsOfClosed(tx, accountId))
  },
})

/** Under the account's lock. Returns where it is closed already. */
async function whyNot(tx: SqlTransaction, id: string, ifMatch: number | undefined): Promise<void> {
  const account = await findAccount(tx, id)
  if (!account) return
  if (ifMatch !== undefined) expectVersion(account.version, ifMatch)
  throw refuse('last_administrator', 'The last administrator stays.')
}
