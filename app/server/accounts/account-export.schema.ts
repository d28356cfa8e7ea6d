import { z } from 'zod'
import { postalAddress } from '../addresses/addresses.schema.ts'
import { money } from '../catalog/catalog.schema.ts'
import { locales } from './accounts.ts'

const at = z.iso.datetime()

const payment = z.strictObject({
  id: z.string(),
  gateway: z.string(),
  status: z.string(),
  amount: money,
  /** Minor units taken, and of these given back. */
  captured: z.int(),
  refunded: z.int(),
  gatewayReference: z.string().optional(),
  declineCode: z.string().optional(),
  createdAt: at,
  updatedAt: at,
  history: z.array(z.strictObject({ from: z.string().nullable(), to: z.string(), at })),
})

const order = z.strictObject({
  id: z.string(),
  cartId: z.string(),
  status: z.string(),
  reason: z.string(),
  note: z.string().optional(),
  fulfilment: z.string(),
  total: money,
  shippingAddress: postalAddress,
  billingAddress: postalAddress,
  reservedUntil: at,
  createdAt: at,
  updatedAt: at,
  items: z.array(
    z.strictObject({
      productId: z.string(),
      variantId: z.string(),
      name: z.string(),
      quantity: z.int(),
      unitPrice: money,
    }),
  ),
  history: z.array(
    z.strictObject({
      from: z.string().nullable(),
      to: z.string(),
      reason: z.string(),
      note: z.string().optional(),
      by: z.enum(['customer', 'staff', 'shop']),
      at,
    }),
  ),
  payments: z.array(payment),
})

/** Everything the shop holds of a person, without what only proves who somebody is: hashes, tokens, a gateway's secrets. */
export const accountExport = z.strictObject({
  exportedAt: at,
  profile: z.strictObject({
    id: z.string(),
    email: z.string(),
    name: z.string(),
    role: z.enum(['customer', 'admin']),
    locale: z.enum(locales),
    version: z.int(),
    createdAt: at,
    updatedAt: at,
  }),
  sessions: z.array(
    z.strictObject({
      id: z.string(),
      createdAt: at,
      expiresAt: at,
      endedAt: at.optional(),
      endedBecause: z.string().optional(),
    }),
  ),
  passwordResets: z.array(z.strictObject({ askedAt: at, expiresAt: at, usedAt: at.optional() })),
  /** Deleted ones too, as long as they are kept. */
  addresses: z.array(postalAddress.extend({ id: z.string(), createdAt: at, updatedAt: at, deletedAt: at.optional() })),
  wishlist: z.array(z.strictObject({ productId: z.string(), name: z.string(), addedAt: at })),
  /** The active one, and those that became orders. */
  carts: z.array(
    z.strictObject({
      id: z.string(),
      state: z.string(),
      createdAt: at,
      updatedAt: at,
      items: z.array(
        z.strictObject({
          productId: z.string(),
          variantId: z.string(),
          name: z.string(),
          quantity: z.int(),
          addedAt: at,
        }),
      ),
    }),
  ),
  orders: z.array(order),
  mails: z.array(
    z.strictObject({
      id: z.string(),
      template: z.string(),
      to: z.string(),
      locale: z.string(),
      state: z.string(),
      orderId: z.string().optional(),
      failure: z.string().optional(),
      createdAt: at,
      sentAt: at.optional(),
      tries: z.array(z.strictObject({ outcome: z.string(), reply: z.string(), at })),
    }),
  ),
  /** What was asked for under a key. */
  operations: z.array(
    z.strictObject({
      key: z.string(),
      operation: z.string().optional(),
      state: z.string(),
      reason: z.string().optional(),
      endedAt: at.optional(),
      undoneAt: at.optional(),
    }),
  ),
  cancelEvents: z.array(
    z.strictObject({
      key: z.string(),
      operation: z.string().optional(),
      outcome: z.string(),
      state: z.string(),
      noop: z.boolean(),
      reason: z.string().optional(),
      /** As it came. */
      sent: z.string().optional(),
      at,
    }),
  ),
})
export type AccountExport = z.output<typeof accountExport>
