import type { Problem } from 'safepoint/client'

/** The server answered, and not with what was asked for. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title)
    this.problem = problem
  }
}

export interface JsonRequest {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * One request without key or retry, for the routes that make a session: everything else goes through `safepoint/client`.
 * Throws {@link RequestRefused}, or what `fetch` throws when there was no answer.
 */
export async function requestJson<T>(
  baseUrl: string,
  method: string,
  path: string,
  request: JsonRequest = {},
): Promise<T> {
  const response = await fetch(baseUrl + path, {
    method,
    headers: { accept: 'application/json', 'content-type': 'application/json', ...request.headers },
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
  })
  const text = await response.text()
  const json = parse(text)
  if (response.ok) return json as T
  throw new RequestRefused(isProblem(json) ? json : unexplained(response))
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'code' in value && 'title' in value
}

/** A proxy's page, say. */
function unexplained(response: Response): Problem {
  return {
    type: 'about:blank',
    title: response.statusText === '' ? `HTTP ${response.status}` : response.statusText,
    status: response.status,
    code: `http_${response.status}`,
    retryable: response.status >= 500,
  }
}
