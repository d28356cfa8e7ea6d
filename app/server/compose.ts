import { createSafepoint, type AnyOperation, type Safepoint, type SqlTransaction } from 'safepoint'
import { changePassword } from './accounts/change-password.ts'
import { changeProfile } from './accounts/change-profile.ts'
import { closeAccount } from './accounts/close-account.ts'
import { endSession } from './accounts/end-session.ts'
import { openSession } from './accounts/open-session.ts'
import { purgeSessions, purgeSessionsJob } from './accounts/purge-sessions.ts'
import { registerAccount } from './accounts/register-account.ts'
import { requestPasswordReset } from './accounts/request-password-reset.ts'
import { resetPassword } from './accounts/reset-password.ts'
import { rotateSession } from './accounts/rotate-session.ts'
import { createTokens } from './accounts/tokens.ts'
import { addressOperations } from './addresses/address-operations.ts'
import type { Announcements } from './announce.ts'
import { addCartItem } from './cart/add-cart-item.ts'
import { changeCartItem } from './cart/change-cart-item.ts'
import { clearCart } from './cart/clear-cart.ts'
import { mergeCart } from './cart/merge-cart.ts'
import { removeCartItem } from './cart/remove-cart-item.ts'
import { tidyCart } from './cart/tidy-cart.ts'
import { cacheCatalog } from './catalog/cache-catalog.ts'
import { productOperations } from './catalog/product-operations.ts'
import type { PantryDatabase } from './database.ts'
import { adjustStock } from './inventory/adjust-stock.ts'
import type { Enqueue, Job } from './jobs.ts'
import type { Logger } from './log.ts'
import { mailOperations } from './mail/mail-operations.ts'
import { mailTopic } from './mail/mail.ts'
import { sendMailsJob, sendQueuedMails, sweepMails } from './mail/send-queued-mails.ts'
import type { Relay } from './mail/smtp-relay.ts'
import { countRetries } from './monitoring/count-retries.ts'
import { askDisputes, askDisputesJob } from './orders/ask-disputes.ts'
import { expireOrders, expireOrdersJob } from './orders/expire-order.ts'
import { sweepPayments } from './orders/sweep-payments.ts'
import { orderOperations, type OrderOptions } from './orders/order-operations.ts'
import type { Runs } from './orders/resolve-refund.ts'
import type { Pantry } from './pantry.ts'
import { alarmRefunds, alarmRefundsJob } from './payments/alarm-refunds.ts'
import type { OfferedGateways } from './payments/offered-gateways.ts'
import { sweepPaymentsJob } from './payments/settle-later.ts'
import { applyEvents } from './payments/webhooks/apply-events.ts'
import { applyEventsJob } from './payments/webhooks/receive-event.ts'
import { stripWebhooks, stripWebhooksJob } from './payments/webhooks/strip-webhooks.ts'
import { webhookOperations } from './payments/webhooks/webhook-operations.ts'
import { wishlistOperations } from './wishlist/wishlist-operations.ts'

export interface Parts {
  readonly database: PantryDatabase
  readonly announcements: Announcements
  readonly currency: string
  readonly jwtSecret: string
  readonly gateways: OfferedGateways
  readonly enqueue: Enqueue
  /** Absent: mails stay queued. */
  readonly relay?: Relay | undefined
  /** Where customers reach this shop; known once it listens. */
  readonly publicUrl: () => string
  readonly log: Logger
  /** Default: the engine's and the domain's. */
  readonly engine?: {
    readonly lease?: number
    readonly poll?: number
    readonly recover?: boolean
    readonly attempts?: number
  }
  readonly orders?: Pick<OrderOptions, 'hold'>
  /** Milliseconds from each try of a mail that was put off to the next. */
  readonly mailBackOff?: readonly number[]
  /** How often an event of a gateway is tried. Default: for about a day. */
  readonly webhookTries?: number
  /** How long the payload of an event is kept once it was applied, in days. */
  readonly webhookPayloadDays?: number
  /** After so many days on its way back a refund is told to a human. */
  readonly refundAlarmDays?: number
  /** Of the administrator who is told what needs a human; absent: all of them are. */
  readonly adminEmail?: string | undefined
}

/** Every job that is ever enqueued. */
export const jobNames: readonly string[] = [
  sendMailsJob,
  expireOrdersJob,
  sweepPaymentsJob,
  applyEventsJob,
  stripWebhooksJob,
  askDisputesJob,
  alarmRefundsJob,
  purgeSessionsJob,
]

/** The operations of all domains and the engine that runs them; the same in a server and in a worker. */
export function compose(parts: Parts) {
  const { database, announcements, currency, gateways, enqueue, publicUrl, log } = parts
  const tokens = createTokens(parts.jwtSecret)
  const mail = { log, ...(parts.mailBackOff && { backOff: parts.mailBackOff }) }
  const session = { tokens, database }
  // The engine is made of the operations, and one of them decides for runs of it.
  const runs: Runs = {
    find: (scope, key) => safepoint.find(scope, key),
    resolve: (scope, key, decision, by) => safepoint.resolve(scope, key, decision, by),
  }
  const operations = {
    accounts: {
      registerAccount: registerAccount(session),
      openSession: openSession(session),
      rotateSession: rotateSession(session),
      endSession,
      changeProfile,
      requestPasswordReset,
      resetPassword,
      changePassword,
      closeAccount,
    },
    cart: {
      addCartItem: addCartItem({ currency }),
      changeCartItem: changeCartItem({ currency }),
      removeCartItem: removeCartItem({ currency }),
      clearCart: clearCart({ currency }),
      mergeCart: mergeCart({ currency }),
      tidyCart,
    },
    catalog: productOperations({ currency }),
    inventory: { adjustStock },
    addresses: addressOperations,
    wishlist: wishlistOperations,
    mail: mailOperations({
      ...mail,
      database,
      relay: parts.relay,
      links: { shop: publicUrl, resetToken: (id) => tokens.resetTokenOf(id) },
    }),
    orders: orderOperations({
      gateways,
      currency,
      enqueue,
      publicUrl,
      runs,
      adminEmail: parts.adminEmail,
      ...parts.orders,
    }),
    webhooks: webhookOperations({ enqueue }),
  }
  const retries = countRetries()
  const safepoint: Safepoint<SqlTransaction> = createSafepoint({
    database,
    operations: Object.values(operations).flatMap((domain) => Object.values(domain) as AnyOperation[]),
    log,
    onRetry: retries.count,
    ...parts.engine,
  })
  const mails = sendQueuedMails({
    ...mail,
    safepoint,
    operation: operations.mail.sendMail,
    enabled: parts.relay !== undefined,
  })
  announcements.listen(({ topic, data }) => {
    if (topic === mailTopic) void mails.sweep()
    else safepoint.bus.publish(topic, data)
  })
  const pantry: Pantry = { safepoint, database, tokens, currency }
  const { settlePayment, noteDispute } = operations.orders
  const webhooks = applyEvents({ safepoint, settlePayment, noteDispute, enqueue, log, tries: parts.webhookTries })
  const jobs: Job[] = [
    sweepMails(mails),
    expireOrders(safepoint, operations.orders.expireOrder),
    sweepPayments({ safepoint, settlePayment, log }),
    webhooks.job,
    stripWebhooks({ database, days: parts.webhookPayloadDays, log }),
    askDisputes({ safepoint, noteDispute, log }),
    alarmRefunds({ database, days: parts.refundAlarmDays, adminEmail: parts.adminEmail, log }),
    purgeSessions({ database, log }),
  ]
  const catalog = cacheCatalog({ database, bus: safepoint.bus })
  return { pantry, operations, catalog, retries, mails, publicUrl, jobs, gateways, webhooks }
}

export type Composed = ReturnType<typeof compose>
