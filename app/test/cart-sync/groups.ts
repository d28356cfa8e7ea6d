import { apiConsistency } from './api-consistency.ts'
import { cartWithItems } from './cart-with-items.ts'
import type { CheckGroup } from './check.ts'
import { concurrentOperations } from './concurrent-operations.ts'
import { edgeCases } from './edge-cases.ts'
import { emptyCart } from './empty-cart.ts'
import { paymentIntegration } from './payment-integration.ts'
import { userIsolation } from './user-isolation.ts'

/** In this order; the last check looks back on all of them. */
export const groups: readonly CheckGroup[] = [
  emptyCart,
  cartWithItems,
  userIsolation,
  concurrentOperations,
  paymentIntegration,
  apiConsistency,
  edgeCases,
]
