import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import net from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, expectTypeOf, test } from 'vitest'
import { SafepointError } from '../src/errors.ts'
import { errorCodes, type ErrorCode, type Problem } from '../src/protocol.ts'
import {
  errorsMarkdown,
  installProblems,
  problemOf,
  problemServerOptions,
  problemTable,
  type HttpCode,
  type ProblemKind,
} from '../src/fastify/index.ts'
import { until } from './support/until.ts'

const appProblems = {
  card_declined: {
    status: 402,
    title: { en: 'Card declined', he: 'הכרטיס נדחה' },
    detail: { en: 'The bank said {reason}.', he: 'הבנק אמר {reason}.' },
  },
  out_of_stock: { status: 409, title: { en: 'Out of stock', he: 'אזל מהמלאי' } },
}

let app: FastifyInstance
let url: string
const told: Array<{ code: string; error: unknown }> = []

beforeAll(async () => {
  app = Fastify({ ...problemServerOptions, bodyLimit: 1000 })
  installProblems(app, {
    problems: appProblems,
    onProblem: (problem, _request, error) => {
      told.push({ code: problem.code, error })
      throw new Error('a reporter that fails')
    },
  })
  app.post('/echo', async (request) => request.body)
  app.get(
    '/checked',
    { schema: { querystring: { type: 'object', required: ['limit'], properties: { limit: { type: 'integer' } } } } },
    async () => 'ok',
  )
  app.get<{ Params: { how: string } }>('/throw/:how', async (request, reply) => {
    switch (request.params.how) {
      case 'plain':
        throw new Error('secret of the server')
      case 'gateway':
        throw Object.assign(new Error('secret of the gateway'), { statusCode: 404, code: 'resource_missing' })
      case 'undeclared':
        throw new SafepointError('never_declared', 'secret code', { details: { secret: 'detail' } })
      case 'declined':
        throw new SafepointError('card_declined', 'n/a', {
          details: { reason: 'no', status: 200, code: 'other', card: 'visa' },
        })
      case 'stock':
        throw new SafepointError('out_of_stock', 'Only 2 left.', {
          details: { left: 2 },
          retryable: true,
          retryAfterMs: 1500,
        })
      case 'away':
        throw Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:5432'), {
          code: 'ECONNREFUSED',
          syscall: 'connect',
        })
      case 'limit':
        reply.header('retry-after', 30).header('vary', 'Origin')
        throw Object.assign(new Error('Rate limit exceeded'), { statusCode: 429 })
      default:
        return Promise.reject('a string' as unknown as Error)
    }
  })
  url = await app.listen({ port: 0, host: '127.0.0.1' })
})
afterAll(() => app.close())

async function problemAt(path: string, init?: RequestInit): Promise<{ problem: Problem; headers: Headers }> {
  const answer = await fetch(url + path, init)
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  const problem = (await answer.json()) as Problem
  expect(problem.status).toBe(answer.status)
  expect(problem.type).toBe(`/errors/${problem.code}`)
  expect(problem.title).toBeTruthy()
  return { problem, headers: answer.headers }
}

test('every code of the engine has a status and words in both languages; a missing one does not compile', () => {
  expect(Object.keys(problemTable)).toEqual(expect.arrayContaining([...errorCodes]))
  expectTypeOf(problemTable).toEqualTypeOf<Readonly<Record<ErrorCode | HttpCode, ProblemKind>>>()
  for (const [code, { status, title, detail }] of Object.entries(problemTable)) {
    expect(status, code).toBeGreaterThanOrEqual(400)
    expect([title.en, title.he, detail?.en, detail?.he].every(Boolean), code).toBe(true)
  }
})

test('the statuses of the contract', () => {
  const statuses = Object.fromEntries(errorCodes.map((code) => [code, problemTable[code].status]))
  expect(statuses).toEqual({
    key_required: 400,
    key_invalid: 400,
    key_reused: 422,
    key_expired: 409,
    in_progress: 409,
    not_cancellable: 409,
    not_undoable: 409,
    cancelled: 409,
    conflict: 409,
    precondition_failed: 412,
    input_invalid: 422,
    unavailable: 503,
    indeterminate: 503,
    timeout: 504,
    interrupted: 503,
    unknown_operation: 404,
    internal: 500,
  })
})

test.each(['plain', 'gateway', 'undeclared', 'string'])('nothing is told of an unexpected error (%s)', async (how) => {
  const { problem } = await problemAt(`/throw/${how}`)
  expect(problem).toMatchObject({ status: 500, code: 'internal', retryable: false })
  expect(JSON.stringify(problem)).not.toMatch(/secret|never_declared|resource_missing/)
  expect(told.at(-1)).toMatchObject({ code: 'internal', error: expect.anything() })
})

test('details are extension members and never replace a member of the contract', async () => {
  const { problem, headers } = await problemAt('/throw/declined', { headers: { 'accept-language': 'he' } })
  expect(problem).toMatchObject({
    status: 402,
    code: 'card_declined',
    title: 'הכרטיס נדחה',
    detail: 'הבנק אמר no.',
    card: 'visa',
  })
  expect(headers.get('content-language')).toBe('he')
  expect((await problemAt('/throw/declined')).problem.detail).toBe('The bank said no.')
})

test('a retryable error says when, in header and body', async () => {
  const { problem, headers } = await problemAt('/throw/stock')
  expect(problem).toMatchObject({ status: 409, detail: 'Only 2 left.', left: 2, retryable: true, retryAfterMs: 1500 })
  expect(headers.get('retry-after')).toBe('2')
  const away = await problemAt('/throw/away')
  expect(away.problem).toMatchObject({ status: 503, code: 'unavailable', retryable: true })
  expect(away.headers.get('retry-after')).toBe('1')
  expect(JSON.stringify(away.problem)).not.toContain('10.0.0.1')
})

test("a limiter's Retry-After and Vary are kept", async () => {
  const { problem, headers } = await problemAt('/throw/limit')
  expect(problem).toMatchObject({ status: 429, code: 'rate_limited', retryable: true, retryAfterMs: 30_000 })
  expect(headers.get('retry-after')).toBe('30')
  expect(headers.get('vary')).toBe('Origin, Accept-Language')
})

test('what the framework refuses is a problem too', async () => {
  const json = (body: string, type = 'application/json') => ({
    method: 'POST',
    body,
    headers: { 'content-type': type },
  })
  expect((await problemAt('/echo', json('{"a":'))).problem).toMatchObject({ status: 400, code: 'malformed_request' })
  expect((await problemAt('/echo', json('{"__proto__":{"x":1}}'))).problem).toMatchObject({
    status: 400,
    code: 'malformed_request',
  })
  expect((await problemAt('/echo', json(`"${'x'.repeat(2000)}"`))).problem).toMatchObject({
    status: 413,
    code: 'body_too_large',
  })
  expect((await problemAt('/echo', json('<a/>', 'application/xml'))).problem).toMatchObject({
    status: 415,
    code: 'unsupported_media_type',
  })
  expect((await problemAt('/nowhere')).problem).toMatchObject({ status: 404, code: 'not_found' })
  expect((await problemAt('/checked?limit=many')).problem).toMatchObject({ status: 422, errors: [{ path: 'limit' }] })
  expect((await problemAt('/throw/%zz')).problem).toMatchObject({ status: 400, code: 'malformed_request' })
  expect((await problemAt(`/throw/${'x'.repeat(1100)}`)).problem).toMatchObject({ status: 414, code: 'uri_too_long' })
})

test.each([
  ['a header with a NUL', 'GET / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: a\0b\r\n\r\n', 400],
  ['headers beyond the limit', `GET / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: ${'k'.repeat(20_000)}\r\n\r\n`, 431],
])('%s is answered with a problem before any route', async (_, request, status) => {
  const { port, hostname } = new URL(url)
  const socket = net.connect(Number(port), hostname)
  socket.write(request)
  let answer = ''
  for await (const chunk of socket) answer += chunk
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} .*Content-Type: application/problem\\+json`, 's'))
  expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toMatchObject({ status, type: expect.stringMatching(/^\/errors\//) })
  expect(answer).toMatch(/^Content-Language: en\r\nX-Request-Id: [0-9a-f-]{36}\r$/m)
})

test('a client that leaves in the middle of its request is not taken for a database that is away', async () => {
  const { port, hostname } = new URL(url)
  const before = told.length
  const socket = net.connect(Number(port), hostname)
  socket.write('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{')
  await once(app.server, 'request')
  socket.destroy()
  await until(() => told.length > before)
  expect(told.slice(before)).toEqual([expect.objectContaining({ code: 'malformed_request' })])
})

test('an expectation that is unknown is ignored', async () => {
  const { port, hostname } = new URL(url)
  const socket = net.connect(Number(port), hostname)
  socket.write('GET /checked?limit=1 HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nConnection: close\r\n\r\n')
  let answer = ''
  for await (const chunk of socket) answer += chunk
  expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/)
})

test('a URL that is none is answered with a request id too, and in the language that was asked for', async () => {
  const { problem, headers } = await problemAt('/throw/%zz', { headers: { 'accept-language': 'he' } })
  expect(problem).toMatchObject({ code: 'malformed_request', title: expect.stringMatching(/[א-ת]/) })
  expect([headers.get('content-language'), headers.get('x-request-id')]).toEqual(['he', expect.any(String)])
})

test('a trailing slash is ignored', async () => {
  expect((await problemAt('/throw/plain/')).problem.code).toBe('internal')
})

test("an application may say the engine's codes in its own words", () => {
  const table = { ...problemTable, internal: { status: 500, title: { en: 'Oops', he: 'אופס' } } }
  expect(problemOf(new Error('x'), { table, language: 'en', typePath: '/e' })).toEqual({
    type: '/e/internal',
    title: 'Oops',
    status: 500,
    code: 'internal',
    retryable: false,
  })
})

test('docs/errors.md is what the table says', async () => {
  const docs = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8')
  expect(docs).toContain(errorsMarkdown(problemTable))
})
