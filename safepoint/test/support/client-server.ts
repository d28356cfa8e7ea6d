import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CancelAnswer, OperationView, Problem } from '../../src/protocol.ts'
import { until } from './until.ts'

/** What happens to one write instead of its being done and answered. */
export type Fault =
  | 'none'
  /** The connection breaks before anything is done. */
  | 'drop-before'
  /** It is done, and the answer is lost. */
  | 'drop-after'
  /** It waits for `release`, as a slow transaction would, and is lost to a cancel that comes first. */
  | 'hold'
  /** Answered 202 and done by `finish`, as a durable operation would be. */
  | 'durable'
  | {
      readonly status: number
      readonly problem?: Partial<Problem>
      readonly headers?: Record<string, string>
      readonly body?: string
    }

export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly at: number
}

interface Row {
  state: 'running' | 'undoing' | 'succeeded' | 'failed' | 'cancelled' | 'needs_attention'
  status?: number
  body?: unknown
}

/**
 * A small HTTP server that keeps the wire contract truthfully with rows in memory, over real sockets: one row a key, a
 * cancel and a commit race for it, what has ended is replayed. Writes go to `/api/things`; `faults` and `cancelFaults`
 * are used up one a request.
 */
export async function startClientServer() {
  const rows = new Map<string, Row>()
  const seen: Seen[] = []
  const effects: string[] = []
  const cancelEvents = new Set<string>()
  const faults: Fault[] = []
  const cancelFaults: Fault[] = []
  const held = new Map<string, () => void>()
  const streams = new Map<string, Set<ServerResponse>>()
  const settings = { streams: true, undoOnCancel: false, guard: (_: Seen): Fault => 'none' }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const one: Seen = {
        method: request.method!,
        path: request.url!,
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
        at: performance.now(),
      }
      seen.push(one)
      route(one, response)
    })
  })

  function route(one: Seen, response: ServerResponse): void {
    const guard = settings.guard(one)
    if (guard !== 'none') return misbehave(guard, response)
    const [, key = '', action] = /^\/api\/operations\/([^/]+)(?:\/(\w+))?$/.exec(one.path) ?? []
    const name = decodeURIComponent(key)
    if (one.path.startsWith('/api/things')) return write(one, response)
    if (action === 'cancel') return cancel(name, one, response)
    if (action === 'undo') return undo(name, response)
    if (action === 'events') return events(name, response)
    if (key !== '') return send(response, 200, view(name))
    send(response, 404, problem('not_found', 404))
  }

  function write(one: Seen, response: ServerResponse): void {
    const key = String(one.headers['idempotency-key'])
    const fault = faults.shift() ?? 'none'
    if (fault === 'drop-before') return void response.destroy()
    const row = rows.get(key)
    if (typeof fault === 'object' && !row) return misbehave(fault, response)
    if (row) return answer(key, row, response, true)
    if (fault === 'durable') {
      rows.set(key, { state: 'running' })
      return answer(key, rows.get(key)!, response, false)
    }
    if (fault === 'hold') {
      held.set(key, () => {
        const lost = rows.get(key)
        if (!lost) commit(key, one.body)
        answer(key, rows.get(key)!, response, false)
      })
      return
    }
    commit(key, one.body)
    if (fault === 'drop-after') return void response.destroy()
    answer(key, rows.get(key)!, response, false)
  }

  function commit(key: string, body: string): void {
    effects.push(key)
    rows.set(key, { state: 'succeeded', status: 201, body: { key, got: body === '' ? null : JSON.parse(body) } })
  }

  function answer(key: string, row: Row, response: ServerResponse, replayed: boolean): void {
    const headers = { 'Operation-Key': key, ...(replayed && { 'Idempotent-Replayed': 'true' }) }
    const operation = { key, href: `/api/operations/${key}` }
    if (row.state === 'succeeded') return send(response, row.status ?? 200, row.body, { ...headers, ETag: '"7"' })
    if (row.state === 'failed') return send(response, row.status ?? 409, row.body, headers)
    if (row.state === 'cancelled') return send(response, 409, problem('cancelled', 409, { operation }), headers)
    if (replayed) {
      const retryable = row.state !== 'needs_attention'
      return send(response, 409, problem('in_progress', 409, { retryable, operation }), { 'Operation-Key': key })
    }
    send(response, 202, { state: row.state, operation }, headers)
  }

  function cancel(key: string, one: Seen, response: ServerResponse): void {
    const fault = cancelFaults.shift() ?? 'none'
    if (fault === 'drop-before') return void response.destroy()
    if (typeof fault === 'object') return misbehave(fault, response)
    cancelEvents.add(String(one.headers['idempotency-key']))
    const row = rows.get(key)
    const repeat = row?.state === 'cancelled'
    if (!row) change(key, { state: 'cancelled' })
    else if (row.state === 'running') change(key, { state: settings.undoOnCancel ? 'undoing' : 'cancelled' })
    if (fault === 'drop-after') return void response.destroy()
    const now = rows.get(key)!
    const told = cancelAnswer(now, repeat, held.has(key))
    send(response, now.state === 'undoing' ? 202 : 200, { eventId: 'e1', ...told })
  }

  function cancelAnswer(row: Row, repeat: boolean, interrupted: boolean): Omit<CancelAnswer, 'eventId'> {
    switch (row.state) {
      case 'succeeded':
        return { outcome: 'too_late', state: 'succeeded', result: row.body, undo: { available: true } } as never
      case 'failed':
        return { outcome: 'too_late', state: 'failed', error: { code: 'declined', message: 'No.' } } as never
      case 'needs_attention':
        return { outcome: 'needs_attention' }
      case 'undoing':
        return {
          outcome: 'undoing',
          target: 'cancelled',
          stopped: true,
          progress: { undone: 0, total: 1 },
          kept: [],
        } as never
      default:
        return { outcome: 'cancelled', ...(repeat ? { repeat: true } : interrupted && { interrupted }) } as never
    }
  }

  function undo(key: string, response: ServerResponse): void {
    const row = rows.get(key)
    if (row?.state !== 'succeeded') return send(response, 409, problem('not_undoable', 409))
    const at = effects.indexOf(key)
    if (at !== -1) effects.splice(at, 1)
    send(
      response,
      200,
      { undone: key },
      { 'Operation-Key': `~undo-${key}`, ...(at === -1 && { 'Idempotent-Replayed': 'true' }) },
    )
  }

  function view(key: string): OperationView {
    const row = rows.get(key)
    if (!row) return held.has(key) ? { state: 'none', inFlight: true } : { state: 'none' }
    return {
      state: row.state,
      key,
      id: `id-${key}`,
      ...(row.state === 'succeeded' && { result: row.body, undo: { available: true } }),
    }
  }

  function events(key: string, response: ServerResponse): void {
    if (!settings.streams) return send(response, 404, problem('not_found', 404))
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    const open = streams.get(key) ?? new Set()
    streams.set(key, open.add(response))
    response.on('close', () => open.delete(response))
    response.write(`retry: 1000\n\nevent: state\nid: 1\ndata: ${JSON.stringify(view(key))}\n\n`)
  }

  function change(key: string, row: Row): void {
    rows.set(key, row)
    for (const stream of streams.get(key) ?? []) {
      stream.write(`event: state\ndata: ${JSON.stringify(view(key))}\n\n`)
      if (['succeeded', 'failed', 'cancelled'].includes(row.state)) stream.end()
    }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const writes = () => seen.filter(({ path }) => path.startsWith('/api/things'))
  const cancels = () => seen.filter(({ path }) => path.endsWith('/cancel'))

  return {
    url,
    rows,
    seen,
    effects,
    cancelEvents,
    faults,
    cancelFaults,
    settings,
    streams,
    writes,
    cancels,
    change,
    /** Resolves once `count` writes have arrived. */
    arrived: (count: number) => until(() => writes().length >= count, { message: `${count} writes arrived` }),
    /** Lets the held write of this key go on. */
    release(key: string) {
      held.get(key)!()
      held.delete(key)
    },
    held: (count = 1) =>
      until(() => (held.size >= count ? [...held.keys()] : undefined), { message: `${count} held writes` }),
    finish(key: string) {
      effects.push(key)
      change(key, { state: 'succeeded', status: 200, body: { key, got: 'durable' } })
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export type ClientServer = Awaited<ReturnType<typeof startClientServer>>

export function problem(code: string, status: number, more: Partial<Problem> = {}): Problem {
  return { type: `/errors/${code}`, title: code, status, code, retryable: false, ...more }
}

function misbehave(fault: Fault, response: ServerResponse): void {
  if (typeof fault !== 'object') return void response.destroy()
  const { status, headers, body } = fault
  if (fault.problem) return send(response, status, problem('x', status, fault.problem), headers)
  response.writeHead(status, { 'Content-Type': 'text/html', ...headers })
  response.end(body ?? '<html>not the API</html>')
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const type = status >= 400 ? 'application/problem+json' : 'application/json'
  response.writeHead(status, { 'Content-Type': type, ...headers })
  response.end(body === undefined ? '' : JSON.stringify(body))
}
