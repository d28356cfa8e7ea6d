import { z } from 'zod'
import { text } from '../accounts/accounts.schema.ts'
import { newAddress, postalAddress } from '../addresses/addresses.schema.ts'
import { checkoutView, paymentView, viewPayment } from '../payments/payments.schema.ts'
import { orderStatuses, type Order, type OrderChange, type OrderStatus } from './orders.ts'

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

const addressOrId = z.union([namedId, newAddress])

export const payCartInput = z.strictObject({
  gateway: text(32),
  cartId: namedId.optional(),
  /** One of one's own by its id, or an address: the order keeps a copy, the address book does not. */
  shippingAddress: addressOrId,
  billingAddress: addressOrId.optional(),
  expectedTotal: money.optional(),
  currency: z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as INR'),
})

export const cancelOrderInput = z.strictObject({ id: namedId, reason: text(500).optional() })

export const shipOrderInput = z.strictObject({ id: namedId })

export const refundOrderInput = z.strictObject({
  id: namedId,
  /** Bare: minor units of what was paid in. Without it all that is left. */
  amount: z.union([z.int().min(1), money.extend({ amount: z.int().min(1) })]).optional(),
  reason: text(500),
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
  shippingAddress: postalAddress,
  billingAddress: postalAddress,
  /** What to tell the customer where the status alone does not say it, in both languages. */
  notice: z.object({ en: z.string(), he: z.string() }).optional(),
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
      /** Who made it. */
      by: z.enum(['customer', 'staff', 'shop']),
      /** Whose account that is; told to administrators. */
      actor: z.string().optional(),
      at: z.iso.datetime(),
    }),
  ),
})
export type OrderWithHistory = z.output<typeof orderWithHistory>

export const adminOrderPage = z.object({
  items: z.array(orderView.extend({ customer: z.object({ id, email: z.string(), name: z.string() }) })),
  nextCursor: z.string().nullable(),
})

export const orderPage = z.object({ items: z.array(orderView), nextCursor: z.string().nullable() })

export const orderAndPayment = z.object({ order: orderView, payment: paymentView })
export type OrderAndPayment = z.output<typeof orderAndPayment>

export const cartPayment = z.object({
  orderId: id,
  paymentId: id,
  gateway: z.string(),
  /** What the gateway's page needs; absent when the order is paid already. */
  checkout: checkoutView.optional(),
})
export type CartPayment = z.output<typeof cartPayment>

const beingChecked = {
  en: 'The payment is being checked with the payment gateway. Nothing more is needed; this page follows.',
  he: 'התשלום נבדק מול ספק התשלומים. אין צורך בפעולה נוספת; העמוד יתעדכן.',
}

/** `failed` is told only where nothing was taken; as long as that is not known, an order is being checked. */
const notices: Partial<Record<OrderStatus, { readonly en: string; readonly he: string }>> = {
  processing: beingChecked,
  payment_verified: beingChecked,
  failed: {
    en: 'The payment did not go through, and nothing was taken. The items stay reserved for a while: pay again.',
    he: 'התשלום לא הושלם ודבר לא נגבה. הפריטים שמורים לזמן מה: אפשר לנסות לשלם שוב.',
  },
  error: {
    en: 'Something went wrong on our side. Whatever was paid comes back, or the order goes on by itself.',
    he: 'אירעה תקלה אצלנו. מה ששולם יוחזר, או שההזמנה תמשיך מעצמה.',
  },
}

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
    ...(notices[order.status] && { notice: notices[order.status] }),
    reservedUntil: order.reservedUntil.toISOString(),
    ...(order.payment && { payment: viewPayment(order.payment) }),
    createdAt: order.createdAt.toISOString(),
    updatedAt: order.updatedAt.toISOString(),
  }
}

export function viewWithHistory(
  order: Order,
  history: readonly OrderChange[],
  { actors = false }: { readonly actors?: boolean } = {},
): OrderWithHistory {
  return {
    ...viewOrder(order),
    history: history
      .filter(({ reason }) => actors || !reason.startsWith('dispute_'))
      .map(({ from, to, reason, note, actor, at }) => ({
        from,
        to,
        reason,
        ...(note !== undefined && { note }),
        by: actor === undefined ? 'shop' : actor === order.accountId ? 'customer' : 'staff',
        ...(actors && actor !== undefined && { actor }),
        at: at.toISOString(),
      })),
  }
}
