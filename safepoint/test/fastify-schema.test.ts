import Fastify, { type RouteOptions } from 'fastify'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createSafepoint, defineOperation, type Database } from '../src/index.ts'
import { problemServerOptions, safepointFastify, type SafepointFastifyOptions } from '../src/fastify/index.ts'

const rename = defineOperation({
  name: 'thing.rename',
  input: z.strictObject({ id: z.string(), name: z.string().min(1), note: z.string().optional() }),
  errors: { name_taken: 'Another thing has that name.' },
  onDisconnect: 'cancel',
  onCancel: 'The thing keeps its name.',
  keep: 'Rename it back.',
  run: async () => ({ version: 1 }),
})
const loose = defineOperation({
  name: 'thing.loose',
  input: z.object({ id: z.string() }),
  keep: 'a test',
  run: async () => ({}),
})
const undeclared = defineOperation({
  name: 'thing.other',
  input: z.strictObject({}),
  keep: 'a test',
  run: async () => ({}),
})

// Registration asks nothing of the database: this one has no connection to give.
const database: Database = {
  query: () => Promise.reject(new Error('not asked')),
  transaction: () => Promise.reject(new Error('not asked')),
  sql: (tx) => tx,
}
const safepoint = createSafepoint({ database, operations: [rename, loose], recover: false })
const options: SafepointFastifyOptions = {
  safepoint,
  caller: () => ({ scope: 'user:1' }),
  problems: { name_taken: { status: 409, title: { en: 'Taken', he: 'תפוס' } } },
  toJsonSchema: (schema, io) => z.toJSONSchema(schema, { io }),
}

async function appWith(over: Partial<SafepointFastifyOptions> = {}) {
  const app = Fastify(problemServerOptions)
  const routes = new Map<string, RouteOptions>()
  app.addHook('onRoute', (route) => void routes.set(`${String(route.method)} ${route.url}`, route))
  await app.register(safepointFastify, { ...options, ...over })
  return { app, routes }
}

test('the documentation of a route is made of the schema that validates', async () => {
  const { app, routes } = await appWith()
  app.operation({
    method: 'PATCH',
    url: '/things/:id',
    operation: rename,
    key: 'required',
    schema: { summary: 'Rename a thing', tags: ['things'], response: z.object({ version: z.number() }) },
  })
  const schema = routes.get('PATCH /things/:id')!.schema as any
  expect(schema.params).toMatchObject({ properties: { id: { type: 'string' } }, required: ['id'] })
  expect(Object.keys(schema.body.properties)).toEqual(['name', 'note'])
  expect(schema.body).toMatchObject({ required: ['name'], additionalProperties: false })
  expect(schema.headers.required).toEqual(['Idempotency-Key'])
  expect(schema.response[200].content['application/json'].schema.properties).toHaveProperty('version')
  expect(schema.response[409].description).toContain('`name_taken`: Another thing has that name.')
  expect(schema['x-safepoint']).toEqual({
    operation: 'thing.rename',
    kind: 'atomic',
    key: 'required',
    onDisconnect: 'cancel',
    deadline: 30_000,
    cancel: { taken: true, means: 'The thing keeps its name.' },
    undo: false,
    keep: 'Rename it back.',
    errors: { name_taken: { status: 409, means: 'Another thing has that name.' } },
  })
  await app.close()
})

test("the library's own routes are documented too", async () => {
  const { app, routes } = await appWith()
  const own = [
    'GET /api/operations/:key',
    'POST /api/operations/:key/cancel',
    'POST /api/operations/:key/undo',
    'GET /api/operations/:key/events',
  ]
  const answers: Record<string, Record<string, string[]>> = {}
  for (const route of [...own, 'GET /errors', 'GET /errors/:code']) {
    const { summary, response } = routes.get(route)!.schema as any
    expect(summary, route).toEqual(expect.any(String))
    answers[route] = Object.fromEntries(
      Object.entries<any>(response).map(([status, { content = {} }]) => [status, Object.keys(content)]),
    )
  }
  const json = ['application/json']
  const problem = { default: ['application/problem+json'] }
  expect(answers).toEqual({
    'GET /api/operations/:key': { 200: json, ...problem },
    'POST /api/operations/:key/cancel': { 200: json, 202: json, ...problem },
    'POST /api/operations/:key/undo': { 200: json, 202: json, ...problem },
    'GET /api/operations/:key/events': { 200: ['text/event-stream'], 204: [], ...problem },
    'GET /errors': { 200: ['text/html', 'text/markdown'], ...problem },
    'GET /errors/:code': { 200: ['text/html', 'text/markdown'], ...problem },
  })
  await app.close()
})

test('a route may answer with one of several statuses; a status without a body promises none', async () => {
  const { app, routes } = await appWith()
  const contentOf = (url: string) =>
    Object.entries<any>((routes.get(`POST ${url}`)!.schema as any).response)
      .filter(([status]) => status.startsWith('2'))
      .map(([status, { content }]) => [status, content && Object.keys(content)])
  const response = z.object({ version: z.number() })
  for (const [url, schema] of Object.entries({ '/some': { response, status: [201, 200] }, '/none': { status: 204 } }))
    app.operation({ method: 'POST', url, operation: rename, key: 'optional', schema })
  expect(contentOf('/some')).toEqual([
    ['200', ['application/json']],
    ['201', ['application/json']],
  ])
  expect(contentOf('/none')).toEqual([['204', undefined]])
  await app.close()
})

test('an operation whose error has no problem is refused when its route is registered', async () => {
  const { app } = await appWith({ problems: {} })
  expect(() => app.operation({ method: 'PATCH', url: '/things/:id', operation: rename, key: 'optional' })).toThrow(
    /no entry in `problems` for name_taken/,
  )
  await app.close()
})

test('an input that drops unknown fields in silence is refused when its route is registered', async () => {
  const { app } = await appWith()
  expect(() => app.operation({ method: 'POST', url: '/loose', operation: loose, key: 'optional' })).toThrow(
    /z\.strictObject/,
  )
  await app.close()
})

test('an operation of another engine is refused', async () => {
  const { app } = await appWith()
  expect(() => app.operation({ method: 'POST', url: '/other', operation: undeclared, key: 'optional' })).toThrow(
    /not among the operations/,
  )
  await app.close()
})

test('an instance on which a long key would not fit into a path is refused with the remedy', async () => {
  await expect(Fastify().register(safepointFastify, options)).rejects.toThrow(/problemServerOptions/)
})

test("every code has a page, the application's too, as HTML or Markdown; others are 404", async () => {
  const { app } = await appWith()
  const index = await app.inject('/errors')
  expect(index.body).toContain('<a href="/errors/name_taken">')
  const page = await app.inject({ url: '/errors/name_taken', headers: { 'accept-language': 'he' } })
  expect([page.statusCode, page.body]).toEqual([200, expect.stringContaining('<html lang="he" dir="rtl">')])
  const markdown = await app.inject({ url: '/errors/in_progress', headers: { accept: 'text/markdown' } })
  expect(markdown.headers['content-type']).toBe('text/markdown; charset=utf-8')
  expect(markdown.body).toMatch(/^# in_progress\n\n\*\*409\*\*.*Retryable/)
  for (const code of ['nonsense', 'constructor', '%3Cscript%3E']) {
    const { statusCode, body } = await app.inject(`/errors/${code}`)
    expect([statusCode, body.includes('<script>')], code).toEqual([404, false])
  }
  await app.close()
})

test("the routes stand beside an application's own validator", async () => {
  const { app } = await appWith()
  const child = app.register(async (scope) => {
    scope.setValidatorCompiler(() => {
      throw new Error('a validator that does not read JSON Schema')
    })
    scope.operation({ method: 'PATCH', url: '/things/:id', operation: rename, key: 'required' })
  })
  await expect(child.ready()).resolves.toBeDefined()
  await app.close()
})
