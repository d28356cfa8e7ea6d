import type pg from 'pg'
import { findUnbalanced } from '../checkout/read-facts.ts'
import type { Answer, Performed } from './perform.ts'
import type { Books, Taken } from './read-books.ts'

interface OrderFacts {
  readonly id: string
  readonly status: string
  readonly fulfilment: string
  readonly total: number
  readonly completions: number
  readonly receipts: number
  readonly lines: Readonly<Record<string, number>>
  readonly booked: Readonly<Record<string, number>> | null
  readonly sold: Readonly<Record<string, number>> | null
  readonly returned: Readonly<Record<string, number>> | null
  readonly held: number
  readonly payments: readonly PaymentFacts[]
}

interface PaymentFacts {
  readonly id: string
  readonly gateway: string
  readonly status: string
  readonly unwanted: boolean
  readonly reference: string | null
  readonly captured: number
  readonly refunded: number
  /** Of which a human has said so, whether or not the gateway counts it. */
  readonly aside: number
  readonly owed: number
}

const quantities = (of: string, where: string) =>
  `(select json_object_agg(variant_id, quantity) from (select variant_id, sum(${of})::int as quantity from ${where} group by 1) as q)`

const ordersSql = `select o.id, o.status, o.fulfilment, o.total::int as total,
  (select count(*)::int from pantry.order_history h where h.order_id = o.id and h.to_status = 'completed' and h.from_status <> 'completed') as completions,
  (select count(*)::int from pantry.mail m where m.template = 'receipt' and m.data->>'orderId' = o.id::text) as receipts,
  ${quantities('quantity', 'pantry.order_line where order_id = o.id')} as lines,
  ${quantities('quantity', `pantry.reservation where order_id = o.id and state = 'booked'`)} as booked,
  ${quantities('-delta', `pantry.stock_movement where order_id = o.id and reason = 'sale'`)} as sold,
  ${quantities('delta', `pantry.stock_movement where order_id = o.id and reason = 'return'`)} as returned,
  (select count(*)::int from pantry.reservation r where r.order_id = o.id and r.state = 'held') as held,
  coalesce((select json_agg(json_build_object('id', p.id, 'gateway', p.gateway, 'status', p.status, 'unwanted', p.unwanted,
    'reference', p.gateway_reference, 'captured', p.captured_amount, 'refunded', p.refunded_amount, 'aside', p.aside_amount, 'owed', p.owed_amount) order by p.id)
    from pantry.payment p where p.order_id = o.id), '[]') as payments
  from pantry.orders o`

const nothing: Taken = { charges: 0, captured: 0, refunded: 0 }

/** What is wrong with a shop in which nothing runs any more, in words: its rows, its stock and the gateways' books tell one story. */
export async function findWrong(sql: pg.Pool, books: Books): Promise<string[]> {
  const { rows: orders } = await sql.query<OrderFacts>(ordersSql)
  const wrong = orders.flatMap((order) =>
    findWrongOrder(order, books).map((what) => `order ${order.id} (${order.status}): ${what}`),
  )
  const known = new Set(orders.map(({ id }) => id))
  for (const [id, taken] of books.byOrder)
    if (!known.has(id) && taken.captured !== taken.refunded) wrong.push(`money was taken for ${id}, which is no order`)
  for (const query of [cartsSql, operationsSql, ledgerSql, eventsSql, mailsSql])
    wrong.push(...(await sql.query<{ line: string }>(query)).rows.map(({ line }) => line))
  wrong.push(...(await findUnbalanced(sql)))
  return wrong
}

function findWrongOrder(order: OrderFacts, { byOrder, byReference }: Books): string[] {
  const wrong: string[] = []
  const claim = (holds: boolean, what: string) => void (holds || wrong.push(what))
  const { status, total, payments, completions } = order
  const taken = byOrder.get(order.id) ?? nothing
  const net = taken.captured - taken.refunded
  const wanted = payments.filter(({ unwanted }) => !unwanted)
  const own = wanted.filter((one) => one.status === 'captured' || (status === 'completed' && one.status === 'refunded'))
  if (status === 'completed') {
    const captured = own.filter((one) => one.status === 'captured')
    const givenBack = own.filter((one) => one.status === 'refunded' && order.fulfilment === 'shipped')
    claim(captured.length === 1 || (captured.length === 0 && givenBack.length === 1), `payments ${namesOf(payments)}`)
    const back = (captured[0] ?? givenBack[0])?.refunded ?? 0
    claim(net === total - back, `${net} is taken, of a total of ${total} less ${back} given back`)
  } else {
    claim(net === 0, `${net} stays taken`)
    claim(own.length === 0, `payments ${namesOf(payments)}`)
  }
  claim(completions <= 1, `completed ${completions} times`)
  claim(order.receipts === completions, `${order.receipts} receipts`)
  const sold = completions === 1
  claim(same(order.booked, sold ? order.lines : {}), `booked ${JSON.stringify(order.booked)}`)
  claim(same(order.sold, sold ? order.lines : {}), `sold ${JSON.stringify(order.sold)}`)
  const back = sold && status === 'cancelled'
  claim(same(order.returned, back ? order.lines : {}), `returned ${JSON.stringify(order.returned)}`)
  if (status === 'completed' || status === 'cancelled') claim(order.held === 0, `${order.held} reservations are held`)
  for (const payment of payments) {
    claim(payment.owed === 0, `payment ${payment.id} owes ${payment.owed}`)
    if (payment.captured === 0) continue
    const told = byReference.get(`${payment.gateway} ${payment.reference}`) ?? nothing
    claim(
      told.captured === payment.captured &&
        told.refunded <= payment.refunded &&
        told.refunded >= payment.refunded - payment.aside,
      `payment ${payment.id} (${payment.status}) says ${payment.captured} and ${payment.refunded} back, ${payment.gateway} ${told.captured} and ${told.refunded}`,
    )
  }
  return wrong
}

const namesOf = (payments: readonly PaymentFacts[]) =>
  payments.map(({ gateway, status, unwanted }) => `${gateway} ${status}${unwanted ? ', unwanted' : ''}`).join('; ')

function same(found: Readonly<Record<string, number>> | null, wanted: Readonly<Record<string, number>>): boolean {
  const names = Object.keys(wanted)
  return Object.keys(found ?? {}).length === names.length && names.every((name) => found?.[name] === wanted[name])
}

const cartsSql = `select format('account %s has %s active carts', account_id, count(*)) as line
  from pantry.cart where state = 'active' group by account_id having count(*) > 1`

const operationsSql = `select format('operation %s (%s) is %s, cleanup %s; its steps: %s', o.key, o.name, o.state, o.cleanup,
    (select string_agg(format('%s %s after %s calls%s %s', s.name, s.state, s.attempts, ' ' || s.undo_error, s.request), '; ' order by s.position)
      from safepoint.step s where s.scope = o.scope and s.key = o.key)) as line
  from safepoint.operation o
  where o.state not in ('succeeded', 'failed', 'cancelled') or o.cleanup in ('pending', 'needs_attention')`

/** Never less than nothing on the shelf, whenever one had looked. */
const ledgerSql = `select distinct format('variant %s had %s on hand', variant_id, min(level) over (partition by variant_id)) as line
  from (select variant_id, sum(delta) over (partition by variant_id order by at, id) as level from pantry.stock_movement) as l
  where level < 0`

const eventsSql = `select format('event %s (%s of %s, reference %s, page %s, order %s, whose payments are %s) is %s after %s tries: %s', e.event_id, e.type,
    e.gateway, e.gateway_reference, e.page_id, e.order_id,
    (select string_agg(format('%s %s %s %s', p.id, p.gateway, p.status, p.page_id), '; ') from pantry.payment p where p.order_id::text = e.order_id),
    e.state, e.tries, e.last_error) as line
  from pantry.webhook_event e where e.state in ('waiting', 'dead')`

const mailsSql = `select format('mail %s (%s) is %s, accepted %s times', m.once, m.recipient, m.state, count(t.*)) as line
  from pantry.mail m left join pantry.mail_try t on t.mail_id = m.id and t.outcome = 'accepted'
  group by m.id having m.state <> 'sent' or count(t.*) <> 1`

interface Row {
  readonly scope: string
  readonly key: string
  readonly state: string
}

/** Who was told something about a key that is not so, in words. */
export async function findUntold(sql: pg.Pool, performed: readonly Performed[]): Promise<string[]> {
  const keyed = performed.filter(({ key }) => key !== undefined)
  const { rows } = await sql.query<Row>(
    `select o.scope, o.key, o.state from unnest($1::text[], $2::text[]) as a (scope, key)
      join safepoint.operation o on o.scope = a.scope and o.key = a.key`,
    [keyed.map(({ scope }) => scope), keyed.map(({ key }) => key)],
  )
  const states = new Map(rows.map(({ key, state }) => [key, state]))
  return keyed.flatMap((one) => {
    const state = states.get(one.key!)
    const untrue = one.answers.flatMap((answer) => {
      const ended = endOf(answer)
      return ended === undefined || ended === state ? [] : [`told ${ended}, and it is ${state}: ${answer.text}`]
    })
    const bodies = new Set(one.answers.filter(isSuccess).map(({ text }) => text))
    if (bodies.size > 1) untrue.push(`told two different results: ${[...bodies].join(' and ')}`)
    return untrue.map((what) => `${one.kind} ${one.key} (${one.request?.path}): ${what}`)
  })
}

const isSuccess = ({ call, status }: Answer) => call === 'run' && (status === 200 || status === 201)

/** How the operation has ended, if this answer says so. */
function endOf(answer: Answer): string | undefined {
  const { call, status, body } = answer
  if (call === 'run') {
    if (isSuccess(answer)) return 'succeeded'
    return status === 409 && body?.code === 'cancelled' ? 'cancelled' : undefined
  }
  switch (body?.outcome) {
    case 'cancelled':
      return 'cancelled'
    case 'undoing':
      return body.target
    case 'too_late':
      return body.state
    default:
      return undefined
  }
}
