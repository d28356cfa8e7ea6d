/** The text of a response, read up to `maxBytes`; throws beyond that, and on bytes that are no UTF-8. */
export async function readText(response: Response, maxBytes: number): Promise<string> {
  if (!response.body) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    size += value.byteLength
    if (size > maxBytes) {
      await reader.cancel().catch(() => {})
      throw new RangeError(`The answer is longer than ${maxBytes} bytes.`)
    }
    text += decoder.decode(value, { stream: true })
  }
}

/** What can be sent as often as needed. */
export type Content = string | FormData | Blob | URLSearchParams | ArrayBuffer | Uint8Array<ArrayBuffer>

export interface SentBody {
  /** What `fetch` is given. */
  readonly content: Content | undefined
  /** The JSON text, where it is JSON: this is what can be persisted. */
  readonly json: string | undefined
}

/**
 * A body as it is sent, the same bytes at every attempt. JSON, or what `fetch` can send repeatedly: a form, a blob,
 * bytes. Throws a TypeError on what cannot be sent twice (a stream) or is no JSON, a RangeError beyond `maxJsonBytes`.
 */
export function prepareBody(body: unknown, maxJsonBytes: number): SentBody {
  if (body === undefined) return { content: undefined, json: undefined }
  if (body instanceof ReadableStream) throw new TypeError('A stream cannot be sent twice: pass a Blob or bytes.')
  if (isBinary(body)) return { content: body, json: undefined }
  const json = JSON.stringify(body) as string | undefined
  if (json === undefined) throw new TypeError('The body cannot be written as JSON.')
  if (utf8Length(json) > maxJsonBytes) throw new RangeError(`The body is longer than ${maxJsonBytes} bytes.`)
  return { content: json, json }
}

/** Bytes of `text` in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = 0
  for (const character of text) {
    const point = character.codePointAt(0)!
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  }
  return bytes
}

function isBinary(body: unknown): body is Exclude<Content, string> {
  return (
    body instanceof FormData ||
    body instanceof Blob ||
    body instanceof URLSearchParams ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body)
  )
}
