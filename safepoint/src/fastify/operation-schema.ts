import type { AnyOperation, DisconnectPolicy } from '../operation.ts'
import { isDurable } from '../operation.ts'
import type { ProblemTable } from './problem-table.ts'
import { jsonResponse, pendingSchema } from './answer-schemas.ts'
import { keyHeaders, problemResponse, stringParams, type JsonSchema } from './route-schema.ts'

/** What OpenAPI says about a route besides what its operation says already. */
export interface RouteSchema {
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly security?: ReadonlyArray<Readonly<Record<string, readonly string[]>>>
  /** Of the result; any schema that the plugin's `toJsonSchema` takes. */
  readonly response?: unknown
  /** Status of a result, where the operation sets another than 200; all of them where it depends. 202 and 204 without a `response` have no body. */
  readonly status?: number | readonly number[]
  /** Where the route derives its input: what it reads instead. */
  readonly params?: JsonSchema
  readonly querystring?: JsonSchema
  readonly body?: JsonSchema
}

export interface SchemaContext {
  readonly method: string
  readonly url: string
  readonly operation: AnyOperation
  readonly key: 'required' | 'optional' | 'ignored' | 'derived'
  readonly onDisconnect?: DisconnectPolicy | undefined
  /** The input is not the merge of params, query and body. */
  readonly derivesInput: boolean
  readonly given: RouteSchema
  readonly table: ProblemTable
  readonly toJsonSchema?: ((schema: any, io: 'input' | 'output') => object) | undefined
}

/** The route's documentation, made of the schema that validates; `x-safepoint` tells the operation's policies. */
export function operationSchema(context: SchemaContext): Record<string, unknown> {
  const { given, key } = context
  const { params, querystring, body, response, status, ...extras } = given
  return {
    ...extras,
    ...requestParts(context),
    headers: keyHeaders(key, true),
    response: responses(context),
    'x-safepoint': policies(context),
  }
}

/** As told in OpenAPI under `x-safepoint`. Times in milliseconds. */
function policies({ operation, key, onDisconnect, table }: SchemaContext): Record<string, unknown> {
  const errors = Object.entries(operation.errors ?? {}).map(([code, means]) => [
    code,
    { status: table[code]!.status, means },
  ])
  return {
    operation: operation.name,
    kind: isDurable(operation) ? 'durable' : 'atomic',
    key,
    onDisconnect: operation.inbox ? 'finish' : (onDisconnect ?? operation.onDisconnect ?? 'finish'),
    deadline: operation.deadline ?? (isDurable(operation) ? 600_000 : 30_000),
    cancel: operation.uncancellable
      ? { taken: false, why: operation.uncancellable }
      : { taken: true, ...(operation.onCancel && { means: operation.onCancel }) },
    ...(operation.undo ? { undo: true } : { undo: false, keep: operation.keep }),
    errors: Object.fromEntries(errors),
  }
}

function requestParts(context: SchemaContext): Record<string, JsonSchema> {
  const { method, url, operation, given, derivesInput, toJsonSchema } = context
  const inPath = pathNames(url)
  const parts: Record<string, JsonSchema> = inPath.length > 0 ? { params: stringParams(inPath) } : {}
  if (!derivesInput && toJsonSchema) {
    const input = withoutDialect(toJsonSchema(operation.input, 'input'))
    checkClosed(operation.name, input)
    const properties = (input.properties ?? {}) as Record<string, unknown>
    if (inPath.length > 0) parts.params = picked(input, (name) => inPath.includes(name), { required: inPath })
    if (Object.keys(properties).some((name) => !inPath.includes(name)) || !input.properties) {
      const rest = input.properties ? picked(input, (name) => !inPath.includes(name)) : input
      parts[method === 'DELETE' ? 'querystring' : 'body'] = rest
    }
  }
  return {
    ...parts,
    ...(given.params && { params: given.params }),
    ...(given.querystring && { querystring: given.querystring }),
    ...(given.body && { body: given.body }),
  }
}

/** An object schema that says nothing of other members drops them in silence; the contract is to refuse them. */
function checkClosed(name: string, input: JsonSchema): void {
  if (input.type === 'object' && input.properties && input.additionalProperties === undefined) {
    throw new TypeError(
      `The input of ${name} accepts unknown fields and drops them: make it strict (zod: z.strictObject).`,
    )
  }
}

function picked(schema: JsonSchema, wanted: (name: string) => boolean, over: JsonSchema = {}): JsonSchema {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, unknown>).filter(([name]) =>
    wanted(name),
  )
  const required = ((schema.required ?? []) as string[]).filter(wanted)
  return {
    ...schema,
    properties: Object.fromEntries(properties),
    ...(required.length > 0 ? { required } : { required: undefined }),
    ...over,
  }
}

function responses({ operation, given, key, table, toJsonSchema }: SchemaContext): Record<string, unknown> {
  const ok = given.response !== undefined && toJsonSchema ? withoutDialect(toJsonSchema(given.response, 'output')) : {}
  const byStatus = new Map<number, Record<string, string>>()
  const tell = (code: string, means: string) => {
    const { status } = table[code]!
    byStatus.set(status, { ...byStatus.get(status), [code]: means })
  }
  for (const code of [...(key === 'required' ? ['key_required'] : []), ...engineCodesOf(operation)])
    tell(code, table[code]!.detail?.en ?? table[code]!.title.en)
  for (const [code, means] of Object.entries(operation.errors ?? {})) tell(code, means)
  const results = [given.status ?? 200].flat().map((status) => [
    status,
    {
      description: 'The result; a replay is byte-identical.',
      // `null` is how the makers of OpenAPI for Fastify are told that there is no body.
      ...(given.response === undefined && (status === 202 || status === 204)
        ? { type: 'null' }
        : { content: { 'application/json': { schema: ok } } }),
    },
  ])
  return {
    ...Object.fromEntries(results),
    ...(isDurable(operation) && {
      202: jsonResponse('Under way: watch it, or cancel it, at `operation.href`.', pendingSchema),
    }),
    ...Object.fromEntries([...byStatus].map(([status, meanings]) => [status, problemResponse(meanings)])),
  }
}

const engineCodesOf = (operation: AnyOperation) => [
  'key_invalid',
  'key_reused',
  'input_invalid',
  'cancelled',
  'conflict',
  'precondition_failed',
  ...(isDurable(operation) ? ['in_progress'] : ['timeout']),
  'unavailable',
]

export function pathNames(url: string): string[] {
  return [...url.matchAll(/:([A-Za-z_]\w*)/g)].map(([, name]) => name!)
}

function withoutDialect(schema: object): JsonSchema {
  const { $schema: _, ...rest } = schema as Record<string, unknown>
  return rest
}
