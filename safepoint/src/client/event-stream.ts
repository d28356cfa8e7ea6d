import { longestTimer } from './retry.ts'

/** One server-sent event: `event` is its type, `message` where it names none. */
export interface ServerEvent {
  readonly event: string
  readonly data: string
}

/**
 * The events of a `text/event-stream` body (https://html.spec.whatwg.org/multipage/server-sent-events.html), read with
 * `fetch` so that it can carry credentials. Ends with the stream, or when nothing came for `idleMs`, a comment included.
 * Throws when one event grows beyond `maxChars`.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  { idleMs, maxChars = 1_048_576 }: { idleMs: number; maxChars?: number },
): AsyncGenerator<ServerEvent, void, void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  let event = ''
  let data: string[] = []
  let afterReturn = false
  try {
    for (;;) {
      const chunk = await readWithin(reader, idleMs)
      if (chunk === undefined) return
      let text = decoder.decode(chunk, { stream: true })
      // A CRLF torn between two chunks is one line end, not two.
      if (afterReturn && text.startsWith('\n')) text = text.slice(1)
      if (text !== '') afterReturn = text.endsWith('\r')
      const lines = (rest + text).split(/\r\n|\r|\n/)
      rest = lines.pop()!
      if (rest.length + data.reduce((sum, line) => sum + line.length, 0) > maxChars)
        throw new RangeError('An event is too long.')
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { event: event || 'message', data: data.join('\n') }
          event = ''
          data = []
          continue
        }
        const colon = line.indexOf(':')
        const field = colon === -1 ? line : line.slice(0, colon)
        const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
        if (field === 'data') data.push(value)
        else if (field === 'event') event = value
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

async function readWithin(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  idleMs: number,
): Promise<Uint8Array | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const idle = new Promise<undefined>(
    (resolve) => (timer = setTimeout(resolve, Math.min(idleMs, longestTimer), undefined)),
  )
  try {
    return await Promise.race([reader.read().then(({ value }) => value), idle])
  } finally {
    clearTimeout(timer)
  }
}
