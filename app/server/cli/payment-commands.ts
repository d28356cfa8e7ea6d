import { uuidv7 } from 'safepoint'
import { isId } from '../http.ts'
import { findOrder, listOrderHistory } from '../orders/orders.queries.ts'
import { listDisputesOf } from '../payments/find-dispute.ts'
import { listAdminPayments } from '../payments/list-admin-payments.ts'
import { listEvents } from '../payments/webhooks/webhook-events.queries.ts'
import { webhookStates } from '../payments/webhooks/webhook-events.ts'
import { viewEvent, webhookQuery } from '../payments/webhooks/webhooks.schema.ts'
import { readCount, readOneOf, type Command } from './command.ts'
import { Refused } from './refused.ts'
import { formatMoney } from './print.ts'

const gateways = webhookQuery.shape.gateway.unwrap().options

const listWebhooks: Command = {
  name: ['webhooks', 'list'],
  summary: 'Events received from gateways, the latest first; what is `dead` waits for a replay',
  options: {
    state: { value: 'STATE', says: `only ${webhookStates.join(', ')}` },
    gateway: { value: 'NAME', says: `only ${gateways.join(', ')}` },
    limit: { value: 'N', says: 'so many of them; default 20' },
  },
  async run({ database }, { options }) {
    const events = await listEvents(database, {
      state: readOneOf(options.state, 'state', webhookStates),
      gateway: readOneOf(options.gateway, 'gateway', gateways),
      limit: readCount(options.limit, 'limit', 20),
    })
    return {
      json: events.map((event) => ({ ...viewEvent(event), payload: event.payload })),
      table: {
        head: ['received', 'gateway', 'type', 'state', 'tries', 'order', 'last error', 'id'],
        rows: events.map((event) => [
          event.receivedAt,
          event.gateway,
          event.type,
          event.state,
          event.tries,
          event.orderId,
          event.lastError,
          event.id,
        ]),
      },
      empty: 'There are none.',
    }
  },
}

const replayWebhook: Command = {
  name: ['webhooks', 'replay'],
  summary: 'Applies an event once more: the server that runs asks the gateway how its payment stands',
  takes: ['ID'],
  async run(attached, { words }) {
    const { pantry, operations } = await attached.engine()
    const answer = await pantry.safepoint.run(
      operations.webhooks.replayWebhook,
      { id: words.ID! },
      { scope: 'command-line', key: uuidv7(), actor: 'command line' },
    )
    if (answer.outcome !== 'succeeded') throw new Refused(`It was not replayed: ${answer.outcome}.`)
    const { id, gateway, type, state } = answer.result
    return { json: answer.result, lines: [`${gateway} ${type} ${id} is ${state}: it is applied within seconds.`] }
  },
}

const listAttention: Command = {
  name: ['payments', 'attention'],
  summary: 'Payments that wait for a human: refunds in doubt, failed or long under way, and disputes',
  options: { limit: { value: 'N', says: 'so many of them; default 100' } },
  async run(attached, { options }) {
    const { pantry } = await attached.engine()
    const { items } = await listAdminPayments(attached.database, (scope, key) => pantry.safepoint.find(scope, key), {
      unsettled: true,
      limit: readCount(options.limit, 'limit', 100),
    })
    return {
      json: items,
      table: {
        head: ['because', 'amount', 'gateway', 'status', 'answer by', 'order', 'payment'],
        rows: items.map(({ attention, disputes, ...payment }) => [
          attention!.because,
          attention!.amount,
          payment.gateway,
          payment.status,
          attention!.because === 'disputed' ? disputes?.find(({ respondBy }) => respondBy)?.respondBy : undefined,
          payment.orderId,
          payment.id,
        ]),
      },
      empty: 'None does.',
    }
  },
}

const showOrder: Command = {
  name: ['orders', 'show'],
  summary: 'An order with its payment, its lines and every change of its state',
  takes: ['ID'],
  async run({ database }, { words }) {
    const id = words.ID!
    const found = isId(id) ? await findOrder(database, id) : undefined
    if (!found) throw new Refused(`There is no order ${id}.`)
    const { order } = found
    const history = await listOrderHistory(database, id)
    const { payment } = order
    const disputes = payment ? await listDisputesOf(database, [payment.id]) : []
    return {
      json: { ...order, history, disputes },
      lines: [
        `order ${order.id}, ${order.status} (${order.reason}), ${order.fulfilment === 'shipped' ? 'shipped' : 'not shipped'}`,
        `account ${order.accountId}, placed ${order.createdAt.toISOString()}, ${formatMoney(order.total)}`,
        payment ? `payment ${payment.id}: ${payment.gateway}, ${payment.status}` : 'no payment yet',
        ...disputes.map(
          ({ id: dispute, status, reason, ...one }) =>
            `dispute ${dispute}: ${status}, ${formatMoney(one)}${reason === null ? '' : `, ${reason}`}`,
        ),
        ...order.lines.map((line) => `  ${line.quantity} × ${line.name}: ${formatMoney(line.totalPrice)}`),
      ],
      table: {
        head: ['at', 'from', 'to', 'reason', 'actor', 'note'],
        rows: history.map((change) => [change.at, change.from, change.to, change.reason, change.actor, change.note]),
      },
    }
  },
}

export const paymentCommands: readonly Command[] = [listAttention, listWebhooks, replayWebhook, showOrder]
