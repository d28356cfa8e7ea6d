import { createSafepoint, type AnyOperation } from 'safepoint'
import { changeProfile } from './accounts/change-profile.ts'
import { endSession } from './accounts/end-session.ts'
import { openSession } from './accounts/open-session.ts'
import { registerAccount } from './accounts/register-account.ts'
import { rotateSession } from './accounts/rotate-session.ts'
import { createTokens } from './accounts/tokens.ts'
import { addressOperations } from './addresses/address-operations.ts'
import type { Announcements } from './announce.ts'
import { addCartItem } from './cart/add-cart-item.ts'
import { changeCartItem } from './cart/change-cart-item.ts'
import { clearCart } from './cart/clear-cart.ts'
import { removeCartItem } from './cart/remove-cart-item.ts'
import type { PantryDatabase } from './database.ts'
import type { Enqueue, Job } from './jobs.ts'
import type { Logger } from './log.ts'
import { expireOrders, expireOrdersJob } from './orders/expire-order.ts'
import { orderOperations, type OrderOptions } from './orders/order-operations.ts'
import type { Pantry } from './pantry.ts'
import type { OfferedGateways } from './payments/offered-gateways.ts'
import { wishlistOperations } from './wishlist/wishlist-operations.ts'

export interface Parts {
  readonly database: PantryDatabase
  readonly announcements: Announcements
  readonly currency: string
  readonly jwtSecret: string
  readonly gateways: OfferedGateways
  readonly enqueue: Enqueue
  /** Where customers reach this shop; known once it listens. */
  readonly publicUrl: () => string
  readonly log: Logger
  /** Default: the engine's and the domain's. */
  readonly engine?: { readonly lease?: number; readonly poll?: number; readonly recover?: boolean }
  readonly orders?: Pick<OrderOptions, 'hold'>
}

/** Every job that is ever enqueued. */
export const jobNames: readonly string[] = [expireOrdersJob]

/** The operations of all domains and the engine that runs them; the same in a server and in a worker. */
export function compose(parts: Parts) {
  const { database, announcements, currency, gateways, enqueue, publicUrl, log } = parts
  const tokens = createTokens(parts.jwtSecret)
  const session = { tokens, database }
  const operations = {
    accounts: {
      registerAccount: registerAccount(session),
      openSession: openSession(session),
      rotateSession: rotateSession(session),
      endSession,
      changeProfile,
    },
    cart: {
      addCartItem: addCartItem({ currency }),
      changeCartItem: changeCartItem({ currency }),
      removeCartItem: removeCartItem({ currency }),
      clearCart: clearCart({ currency }),
    },
    addresses: addressOperations,
    wishlist: wishlistOperations,
    orders: orderOperations({ gateways, currency, enqueue, publicUrl, ...parts.orders }),
  }
  const safepoint = createSafepoint({
    database,
    operations: Object.values(operations).flatMap((domain) => Object.values(domain) as AnyOperation[]),
    log,
    ...parts.engine,
  })
  announcements.listen(({ topic, data }) => safepoint.bus.publish(topic, data))
  const pantry: Pantry = { safepoint, database, tokens, currency }
  const jobs: Job[] = [expireOrders(safepoint, operations.orders.expireOrder)]
  return { pantry, operations, jobs }
}

export type Composed = ReturnType<typeof compose>
