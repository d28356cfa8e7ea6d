import type { SqlTransaction } from 'safepoint'
import type { Reader } from '../../database.ts'
import type { EventSubject, StoredEvent, WebhookState } from './webhook-events.ts'

interface Row {
  id: string
  gateway: StoredEvent['gateway']
  event_id: string
  type: string
  gateway_reference: string | null
  page_id: string | null
  order_id: string | null
  dispute_id: string | null
  state: WebhookState
  round: number
  tries: number
  last_error: string | null
  due_at: Date
  occurred_at: Date
  received_at: Date
  applied_at: Date | null
}

/** Without the payload. */
const columns = `id, gateway, event_id, type, gateway_reference, page_id, order_id, dispute_id, state, round, tries, last_error,
  due_at, occurred_at, received_at, applied_at`

const eventOf = (row: Row): StoredEvent => ({
  id: row.id,
  gateway: row.gateway,
  eventId: row.event_id,
  type: row.type,
  gatewayReference: row.gateway_reference,
  pageId: row.page_id,
  orderId: row.order_id,
  disputeId: row.dispute_id,
  state: row.state,
  round: row.round,
  tries: row.tries,
  lastError: row.last_error,
  dueAt: row.due_at,
  occurredAt: row.occurred_at,
  receivedAt: row.received_at,
  appliedAt: row.applied_at,
})

export interface NewEvent extends EventSubject {
  readonly id: string
  readonly gateway: string
  readonly eventId: string
  readonly type: string
  readonly payload: Uint8Array
  readonly state: 'waiting' | 'ignored'
  readonly occurredAt: string
}

/** The first try by the queue is `grace` milliseconds away: whoever received the event tries at once. */
export async function insertEvent(
  tx: SqlTransaction,
  event: NewEvent,
  grace: number,
): Promise<{ readonly dueAt: Date }> {
  const { rows } = await tx.query<{ due_at: Date }>({
    name: 'webhooks_insert',
    text: `insert into pantry.webhook_event
        (id, gateway, event_id, type, gateway_reference, page_id, order_id, payload, state, occurred_at, due_at, dispute_id)
      values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::bytea, $9::text, $10::timestamptz,
        clock_timestamp() + make_interval(secs => $11::double precision / 1000), $12::text)
      returning due_at`,
    values: [
      event.id,
      event.gateway,
      event.eventId,
      event.type,
      event.gatewayReference,
      event.pageId,
      event.orderId,
      event.payload,
      event.state,
      event.occurredAt,
      grace,
      event.disputeId,
    ],
  })
  return { dueAt: rows[0]!.due_at }
}

export async function findEvent(reader: Reader, id: string): Promise<StoredEvent | undefined> {
  const { rows } = await reader.query<Row>({
    name: 'webhooks_find',
    text: `select ${columns} from pantry.webhook_event where id = $1::uuid`,
    values: [id],
  })
  return rows[0] && eventOf(rows[0])
}

/** Takes what is due for `lease` milliseconds, so that of several processes one tries it. */
export async function claimDueEvents(reader: Reader, limit: number, lease: number): Promise<StoredEvent[]> {
  const { rows } = await reader.query<Row>({
    name: 'webhooks_claim',
    text: `update pantry.webhook_event set due_at = clock_timestamp() + make_interval(secs => $2::double precision / 1000)
      where id in (
        select id from pantry.webhook_event where state = 'waiting' and due_at <= clock_timestamp()
        order by due_at, id limit $1::int for update skip locked
      ) and state = 'waiting'
      returning ${columns}`,
    values: [limit, lease],
  })
  return rows.map(eventOf)
}

/**
 * The payments that an event may be about. By order where neither its page nor its reference is one of ours: then all of
 * the order's that could be, since a page that was given up may be paid all the same.
 */
export async function listPaymentsOf(
  reader: Reader,
  event: Pick<StoredEvent, 'gateway' | 'gatewayReference' | 'pageId'> & { readonly orderId: string | null },
): Promise<string[]> {
  const { rows } = await reader.query<{ id: string; exact: boolean }>({
    name: 'webhooks_payments_of',
    text: `select id, true as exact from pantry.payment where gateway = $1::text and gateway_reference = $2::text
      union
      select id, true from pantry.payment where gateway = $1::text and page_id = $3::text
      union all
      select id, false from pantry.payment where gateway = $1::text and order_id = $4::uuid`,
    values: [event.gateway, event.gatewayReference, event.pageId, event.orderId],
  })
  const exact = rows.filter((row) => row.exact)
  return [...new Set((exact.length > 0 ? exact : rows).map(({ id }) => id))]
}

/** `false` when it was applied, given up or replayed meanwhile. */
export async function markApplied(reader: Reader, { id, round }: StoredEvent): Promise<boolean> {
  const { rowCount } = await reader.query({
    name: 'webhooks_applied',
    text: `update pantry.webhook_event set state = 'applied', applied_at = clock_timestamp(), last_error = null
      where id = $1::uuid and round = $2::int and state = 'waiting'`,
    values: [id, round],
  })
  return rowCount === 1
}

export interface FailedTry {
  readonly error: string
  /** Until the next one, in milliseconds; null: it is given up. */
  readonly delay: number | null
}

/**
 * Counts a try that came to nothing. Undefined when somebody else has tried, or it has ended, meanwhile. One that has become
 * due while it was tried (whoever was in charge has let go) is tried again at once.
 */
export async function recordTry(
  tx: SqlTransaction,
  { id, round, tries }: StoredEvent,
  { error, delay }: FailedTry,
): Promise<{ readonly dueAt: Date } | undefined> {
  const { rows } = await tx.query<{ due_at: Date }>({
    name: 'webhooks_tried',
    text: `update pantry.webhook_event set tries = tries + 1, last_error = left($4::text, 500),
        state = case when $5::double precision is null then 'dead' else state end,
        due_at = case when due_at <= clock_timestamp() then due_at
          else clock_timestamp() + make_interval(secs => coalesce($5::double precision, 0) / 1000) end
      where id = $1::uuid and round = $2::int and tries = $3::int and state = 'waiting'
      returning due_at`,
    values: [id, round, tries, error, delay],
  })
  return rows[0] && { dueAt: rows[0].due_at }
}

/** Undefined where there is none, or nothing in it to apply. */
export async function reopenEvent(tx: SqlTransaction, id: string): Promise<StoredEvent | undefined> {
  const { rows } = await tx.query<Row>({
    name: 'webhooks_reopen',
    text: `update pantry.webhook_event set state = 'waiting', round = round + 1, tries = 0, last_error = null,
        applied_at = null, due_at = clock_timestamp()
      where id = $1::uuid and state <> 'ignored' returning ${columns}`,
    values: [id],
  })
  return rows[0] && eventOf(rows[0])
}

export interface EventFilter {
  readonly state?: WebhookState | undefined
  readonly gateway?: string | undefined
  readonly limit: number
  /** The last id of the page before. */
  readonly after?: string | undefined
}

/** The latest first. One statement a combination of filters, so that each is planned for what it filters by. */
export async function listEvents(
  reader: Reader,
  { state, gateway, limit, after }: EventFilter,
): Promise<Array<StoredEvent & { readonly payload: string | null }>> {
  const { rows } = await reader.query<Row & { payload: Buffer | null }>({
    name: `webhooks_list${state ? '_state' : ''}${gateway ? '_gateway' : ''}`,
    text: `select ${columns}, payload from pantry.webhook_event
      where ($1::uuid is null or id < $1::uuid)
        and ${state ? 'state = $3::text' : '$3::text is null'} and ${gateway ? 'gateway = $4::text' : '$4::text is null'}
      order by id desc limit $2::int`,
    values: [after ?? null, limit, state ?? null, gateway ?? null],
  })
  return rows.map((row) => ({ ...eventOf(row), payload: row.payload?.toString('utf8') ?? null }))
}

/** Takes the payload off up to `limit` events that ended more than `keptFor` milliseconds ago; answers off how many. */
export async function stripPayloads(
  reader: Reader,
  { keptFor, limit }: { readonly keptFor: number; readonly limit: number },
): Promise<number> {
  const { rowCount } = await reader.query({
    name: 'webhooks_strip',
    text: `update pantry.webhook_event set payload = null
      where id = any (array(
        select id from pantry.webhook_event
        where payload is not null and state in ('applied', 'ignored')
          and coalesce(applied_at, received_at) < clock_timestamp() - $1::float8 * interval '1 millisecond'
        order by coalesce(applied_at, received_at) limit $2::int for update skip locked
      ))`,
    values: [keptFor, limit],
  })
  return rowCount
}
