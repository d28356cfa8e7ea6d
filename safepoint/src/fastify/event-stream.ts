import type { FastifyInstance, FastifyReply } from 'fastify'

/** One server-sent event (WHATWG HTML section 9.2). `data` is sent as JSON. */
export interface StreamEvent {
  readonly event?: string
  readonly id?: string
  readonly data: unknown
}

export interface EventStreamOptions {
  /** Milliseconds between comments that keep proxies from closing a silent stream. Default 15 000. */
  readonly heartbeat?: number
  /** Milliseconds a client is told to wait before it connects again. Default 1000. */
  readonly retry?: number
}

/** Streams under way by HTTP server, so that closing the application does not wait for its listeners. */
const openStreams = new WeakMap<object, Set<AbortController>>()

/**
 * Answers with server-sent events until `source` ends or the client leaves, whichever is first; `signal` then fires, and the
 * source is returned from. A client that reads slowly makes the source wait. When the source throws, the connection is cut
 * (not ended), so that the client connects again. Headers that hooks have set (CORS, request id) are sent.
 *
 *     app.get('/api/cart/events', (request, reply) => eventStream(reply, (signal) => watchCart(request.user, signal)))
 *
 * Resolves when the stream is over. The reply is hijacked: nothing else may be sent.
 */
export async function eventStream(
  reply: FastifyReply,
  source: (signal: AbortSignal) => AsyncIterable<StreamEvent>,
  options: EventStreamOptions = {},
): Promise<void> {
  const { raw, server } = reply
  const controller = new AbortController()
  const { signal } = controller
  const open = openStreams.get(server.server) ?? new Set()
  openStreams.set(server.server, open.add(controller))
  const leave = () => controller.abort()
  raw.once('close', leave)
  if (raw.destroyed || reply.request.raw.socket?.destroyed) leave()

  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store, no-transform',
    // nginx buffers answers unless told otherwise
    'x-accel-buffering': 'no',
  })
  raw.write(`retry: ${options.retry ?? 1000}\n\n`)
  const heartbeat = setInterval(() => void (raw.writableNeedDrain || raw.write(':\n\n')), options.heartbeat ?? 15_000)
  let failed = false
  try {
    await pump(source(signal), reply, signal)
  } catch (error) {
    failed = !signal.aborted
    if (failed) reply.log.warn({ err: error }, 'event stream failed')
  } finally {
    clearInterval(heartbeat)
    raw.off('close', leave)
    open.delete(controller)
    controller.abort()
    if (failed) raw.destroy()
    else raw.end()
  }
}

async function pump(source: AsyncIterable<StreamEvent>, reply: FastifyReply, signal: AbortSignal): Promise<void> {
  const { raw } = reply
  const left = new Promise<'left'>((resolve) => {
    if (signal.aborted) resolve('left')
    else signal.addEventListener('abort', () => resolve('left'), { once: true })
  })
  const iterator = source[Symbol.asyncIterator]()
  try {
    while (!signal.aborted) {
      const pulled = iterator.next()
      const next = await Promise.race([pulled, left])
      if (next === 'left') {
        // What the source still says has no reader; its failure is nobody's any more.
        pulled.catch(() => undefined)
        return
      }
      if (next.done) return
      if (!raw.write(eventText(next.value)))
        await Promise.race([new Promise((drained) => raw.once('drain', drained)), left])
    }
  } finally {
    // Not awaited: a generator that waits for its next event returns only when that has come.
    Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

/** Ends every stream of an application; {@link safepointFastify} does so when the application closes. */
export function endEventStreams(app: FastifyInstance): void {
  for (const controller of openStreams.get(app.server) ?? []) controller.abort()
}

function eventText({ event, id, data }: StreamEvent): string {
  const name = event === undefined ? '' : `event: ${oneLine(event)}\n`
  const mark = id === undefined ? '' : `id: ${oneLine(id)}\n`
  // JSON has no line ends of its own, so that one `data` line holds it.
  return `${name}${mark}data: ${JSON.stringify(data ?? null)}\n\n`
}

const oneLine = (text: string) => text.replace(/[\r\n\0]/g, ' ')
