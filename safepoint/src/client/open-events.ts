import { readEvents, type ServerEvent } from './event-stream.ts'
import { ProblemError } from './problem-error.ts'
import { checkPath, type Transport } from './transport.ts'

export interface OpenEvents {
  readonly path: string
  readonly timeoutMs: number
  readonly idleMs: number
  readonly headers: Record<string, string> | undefined
  readonly signal: AbortSignal | undefined
}

/** The events of one connection. Throws a ProblemError, what the network threw, or a TypeError for what is no stream. */
export async function* openEvents(
  transport: Transport,
  { path, timeoutMs, idleMs, headers, signal }: OpenEvents,
): AsyncGenerator<ServerEvent, void, void> {
  checkPath(path)
  if (signal?.aborted) return
  const connection = new AbortController()
  const drop = () => connection.abort(signal?.reason)
  signal?.addEventListener('abort', drop)
  try {
    const response = await transport.open({
      method: 'GET',
      path,
      timeoutMs,
      drop: connection.signal,
      headers: { Accept: 'text/event-stream', ...headers },
    })
    const isStream = /^text\/event-stream\b/i.test(response.headers.get('Content-Type') ?? '')
    if (response.ok && isStream && response.body) {
      yield* readEvents(response.body as ReadableStream<Uint8Array>, { idleMs })
      return
    }
    const { problem, status } = await transport.read(response)
    if (problem) throw new ProblemError(problem, status)
    throw new TypeError(`${path} is no event stream.`)
  } catch (error) {
    if (!signal?.aborted) throw error
  } finally {
    signal?.removeEventListener('abort', drop)
    connection.abort()
  }
}
