import { engineError } from './errors.ts'
import type { AnyOperation, Failure, ResponseHead } from './operation.ts'
import type { State, UndoOffer } from './protocol.ts'
import type { OperationRow } from './sql/operation-row.ts'

/** What was sent the first time and is sent ever after. */
export interface StoredResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON in UTF-8. Fields declared `fresh` are added to these bytes at each answer. */
  readonly body: Uint8Array
}

interface Identified {
  readonly key: string
  readonly operationId: string
  /** The operation's name. */
  readonly name: string
  /** Answered from the row that an earlier run, or another process, committed. */
  readonly replayed: boolean
}

/** How a run ended. Everything else is thrown as a SafepointError with a code of the closed set. */
export type Answer<Result = unknown> =
  | (Identified & {
      readonly outcome: 'succeeded'
      readonly result: Result
      readonly response: StoredResponse
      readonly undo: UndoOffer
    })
  | (Identified & {
      readonly outcome: 'failed'
      readonly error: {
        readonly code: string
        readonly message: string
        readonly details: Readonly<Record<string, unknown>>
      }
    })
  | (Identified & { readonly outcome: 'cancelled'; readonly reason: string | undefined })
  /** Durable operations only: not ended within `wait`. */
  | (Identified & { readonly outcome: 'pending'; readonly state: 'running' | 'undoing' })

/** An outcome as it is stored: rendered once, before the gate. */
export interface Rendered {
  readonly state: 'succeeded' | 'failed'
  readonly head: string | undefined
  readonly body: Buffer
}

/** Headers that describe the result and may be sent again. Never `set-cookie`, nothing of one connection. */
const replayableHeaders = new Set([
  'location',
  'etag',
  'content-location',
  'content-language',
  'content-type',
  'last-modified',
  'link',
  'vary',
])

/**
 * Renders an outcome before the gate. Throws a TypeError for what could never be sent: once it is committed it is too late to
 * find that out, and every answer about it would be an error.
 */
export function renderResult(result: unknown, head: ResponseHead, operation: AnyOperation): Rendered {
  const body = Buffer.from(result === undefined ? '' : JSON.stringify(result))
  if (operation.fresh && body[0] !== openingBrace) throw new TypeError(freshMessage)
  return { state: 'succeeded', head: renderHead(head), body }
}

function renderHead({ status, headers: given }: ResponseHead): string | undefined {
  if (status === undefined && given === undefined) return undefined
  if (status !== undefined && !(Number.isInteger(status) && status >= 200 && status <= 299))
    throw new TypeError(`A result is answered with a status from 200 to 299, not ${status}.`)
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!replayableHeaders.has(name.toLowerCase())) continue
    if (typeof value !== 'string' || /[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw new TypeError(`The header ${name} has a value that HTTP cannot carry.`)
    headers[name.toLowerCase()] = value
  }
  if (status === undefined && Object.keys(headers).length === 0) return undefined
  return JSON.stringify({ ...(status !== undefined && { status }), headers })
}

const openingBrace = 0x7b
const freshMessage = '`fresh` fields can only be added to a result that is an object.'

/** What the declared undo will be handed. `null` where it asks for nothing, because absent means that it is no longer kept. */
export function renderUndoInput(
  operation: AnyOperation,
  done: { readonly input: unknown; readonly result: any; readonly operationId: string; readonly noted: unknown },
): string | undefined {
  return operation.undo && (JSON.stringify(operation.undo.record(done)) ?? 'null')
}

export function renderFailure(failure: Failure): Rendered {
  return {
    state: 'failed',
    head: undefined,
    body: Buffer.from(JSON.stringify({ code: failure.code, message: failure.message, details: failure.details })),
  }
}

export function undoOffer(operation: AnyOperation | undefined): UndoOffer {
  if (!operation) return { available: false }
  return operation.undo ? { available: true } : { available: false, keep: operation.keep }
}

interface Owner {
  readonly scope: string
  readonly key: string
  readonly id: string
  readonly actor: string | null | undefined
}

/** What a stored outcome answers. The caller has compared the fingerprint already. */
export function answerOf(
  stored: Rendered,
  owner: Owner,
  operation: AnyOperation,
  replayed: boolean,
): Answer<any> | Promise<Answer<any>> {
  const identified: Identified = { key: owner.key, operationId: owner.id, name: operation.name, replayed }
  if (stored.state === 'failed') return { ...identified, outcome: 'failed', error: JSON.parse(stored.body.toString()) }
  if (operation.fresh) return freshAnswer(stored, owner, operation, identified)
  return succeeded(stored, stored.body, operation, identified)
}

async function freshAnswer(
  stored: Rendered,
  { scope, actor }: Owner,
  operation: AnyOperation,
  identified: Identified,
): Promise<Answer<any>> {
  const { body } = stored
  const members = await operation.fresh!({ scope, actor: actor ?? undefined, result: parseBody(body) })
  return succeeded(stored, addMembers(body, members), operation, identified)
}

function succeeded(stored: Rendered, body: Buffer, operation: AnyOperation, identified: Identified): Answer<any> {
  const head: { status?: number; headers?: Record<string, string> } = stored.head ? JSON.parse(stored.head) : {}
  let result: { readonly value: unknown } | undefined
  return {
    ...identified,
    outcome: 'succeeded',
    // What the bytes say, the first time too; parsed when somebody asks.
    get result() {
      return (result ??= { value: parseBody(body) }).value
    },
    response: { status: head.status ?? (body.length === 0 ? 204 : 200), headers: head.headers ?? {}, body },
    undo: undoOffer(operation),
  }
}

function parseBody(body: Buffer): any {
  return body.length === 0 ? undefined : JSON.parse(body.toString())
}

/** Answers from the row, which outranks whatever a handler did or threw. */
export async function answerFromRow(
  row: OperationRow,
  asked: Uint8Array,
  operation: AnyOperation,
): Promise<Answer<any>> {
  if (row.fingerprint && Buffer.compare(row.fingerprint, asked) !== 0) {
    throw engineError('key_reused', 'This idempotency key was used for another request.', {
      details: { operation: { key: row.key } },
    })
  }
  if (row.state === 'cancelled') {
    return {
      key: row.key,
      operationId: row.id,
      name: operation.name,
      replayed: true,
      outcome: 'cancelled',
      reason: row.reason ?? undefined,
    }
  }
  if (row.state === 'succeeded' || row.state === 'failed') {
    if (row.stripped_at || !row.body) {
      throw engineError('key_expired', 'This key has ended and its response is no longer kept.', {
        details: { state: row.state, operation: { key: row.key } },
      })
    }
    return answerOf(stored(row, row.state), row, operation, true)
  }
  throw inProgress(row.key, row.state)
}

export function inProgress(key: string, state: State): Error {
  return engineError('in_progress', 'The operation under this key has not ended.', {
    retryable: state !== 'needs_attention',
    ...(state !== 'needs_attention' && { retryAfterMs: 1000 }),
    details: { state, operation: { key } },
  })
}

function stored(row: OperationRow, state: 'succeeded' | 'failed'): Rendered {
  const body = row.body!
  return { state, head: row.head ?? undefined, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength) }
}

/** Adds members to the bytes of a JSON object without rendering the stored ones again. */
function addMembers(body: Buffer, members: Record<string, unknown>): Buffer {
  const added = JSON.stringify(members).slice(1, -1)
  if (added === '') return body
  const text = body.toString()
  const end = text.lastIndexOf('}')
  if (end < 0) throw new TypeError(freshMessage)
  const comma = text.slice(0, end).trim() === '{' ? '' : ','
  return Buffer.from(`${text.slice(0, end)}${comma}${added}${text.slice(end)}`)
}
