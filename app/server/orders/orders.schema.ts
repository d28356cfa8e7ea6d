import { z } from 'zod'
import { text } from '../accounts/accounts.schema.ts'
import { paymentView, viewPayment } from '../payments/payments.schema.ts'
import { orderStatuses, type Order, type OrderChange } from './orders.ts'

const id = z.string()
/** Of a request. What is no id names nothing: it is not found, like any other. */
const namedId = z.string().min(1).max(100)
const money = z.strictObject({ amount: z.int(), currency: z.string().regex(/^[A-Z]{3}$/) })

export const placeOrderInput = z.strictObject({
  cartId: namedId.optional(),
  addressId: namedId,
  billingAddressId: namedId.optional(),
  expectedTotal: money.optional(),
})

export const confirmOrderInput = z.strictObject({
  id: namedId,
  gateway: text(32),
  /** A payment method saved at the gateway; without it the gateway's page is offered. */
  paymentMethod: text(255).optional(),
})

export const cancelOrderInput = z.strictObject({ id: namedId, reason: text(500).optional() })

const address = z.object({
  name: z.string(),
  line1: z.string(),
  line2: z.string().optional(),
  city: z.string(),
  region: z.string().optional(),
  postalCode: z.string(),
  country: z.string(),
  phone: z.string().optional(),
})

export const orderView = z.object({
  id,
  cartId: id,
  status: z.enum(orderStatuses),
  /** Why it is in that status. */
  reason: z.string(),
  fulfilment: z.enum(['none', 'shipped']),
  version: z.int(),
  items: z.array(
    z.object({
      id,
      productId: id,
      variantId: id,
      name: z.string(),
      quantity: z.int(),
      unitPrice: money,
      totalPrice: money,
    }),
  ),
  total: money,
  shippingAddress: address,
  billingAddress: address,
  /** Until when stock is held for it while it is unpaid. */
  reservedUntil: z.iso.datetime(),
  payment: paymentView.optional(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type OrderView = z.output<typeof orderView>

export const orderWithHistory = orderView.extend({
  history: z.array(
    z.object({
      from: z.enum(orderStatuses).nullable(),
      to: z.enum(orderStatuses),
      reason: z.string(),
      note: z.string().optional(),
      at: z.iso.datetime(),
    }),
  ),
})
export type OrderWithHistory = z.output<typeof orderWithHistory>

export const orderPage = z.object({ items: z.array(orderView), nextCursor: z.string().nullable() })

export const orderAndPayment = z.object({ order: orderView, payment: paymentView })
export type OrderAndPayment = z.output<typeof orderAndPayment>

export function viewOrder(order: Order): OrderView {
  return {
    id: order.id,
    cartId: order.cartId,
    status: order.status,
    reason: order.reason,
    fulfilment: order.fulfilment,
    version: order.version,
    items: order.lines.map((line) => ({ ...line })),
    total: order.total,
    shippingAddress: order.shippingAddress,
    billingAddress: order.billingAddress,
    reservedUntil: order.reservedUntil.toISOString(),
    ...(order.payment && { payment: viewPayment(order.payment) }),
    createdAt: order.createdAt.toISOString(),
    updatedAt: order.updatedAt.toISOString(),
  }
}

export function viewWithHistory(order: Order, history: readonly OrderChange[]): OrderWithHistory {
  return {
    ...viewOrder(order),
    history: history.map(({ from, to, reason, note, at }) => ({
      from,
      to,
      reason,
      ...(note !== undefined && { note }),
      at: at.toISOString(),
    })),
  }
}
