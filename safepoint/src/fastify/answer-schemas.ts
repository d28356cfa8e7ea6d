import type { JsonSchema } from './route-schema.ts'

const href = { type: 'string', format: 'uri-reference' }
const moment = { type: 'string', format: 'date-time' }
const refusal = { type: 'object', required: ['code'], properties: { code: { type: 'string' } } }
const cleanup = { enum: ['pending', 'done', 'needs_attention'] }
const target = { enum: ['cancelled', 'failed'] }

const undo: JsonSchema = {
  type: 'object',
  required: ['available'],
  properties: {
    available: { type: 'boolean' },
    href,
    keep: { type: 'string', description: 'Why there is no undo.' },
  },
}

const undone: JsonSchema = {
  type: 'object',
  required: ['key', 'at'],
  properties: { key: { type: 'string' }, at: moment },
}

/** `OperationView` of the protocol. */
export const viewSchema: JsonSchema = {
  type: 'object',
  required: ['state'],
  properties: {
    state: { enum: ['none', 'running', 'undoing', 'succeeded', 'failed', 'cancelled', 'needs_attention'] },
    inFlight: { const: true },
    key: { type: 'string' },
    id: { type: 'string' },
    name: { type: 'string' },
    result: { description: 'As the operation answered it.' },
    error: refusal,
    undo,
    undone,
    reason: { type: 'string' },
    target,
    progress: { type: 'object' },
    steps: {
      type: 'array',
      items: {
        type: 'object',
        required: ['step', 'state'],
        properties: { step: { type: 'string' }, state: { type: 'string' } },
      },
    },
    cleanup,
    startedAt: moment,
    endedAt: moment,
    stripped: { const: true },
  },
}

/** `CancelAnswer` of the protocol. */
export const cancelAnswerSchema: JsonSchema = {
  type: 'object',
  required: ['eventId', 'outcome'],
  properties: {
    eventId: { type: 'string' },
    outcome: { enum: ['cancelled', 'undoing', 'too_late', 'needs_attention'] },
    state: { enum: ['succeeded', 'failed'] },
    interrupted: { type: 'boolean' },
    repeat: { const: true },
    stopped: { type: 'boolean' },
    step: { type: 'string' },
    cleanup,
    reason: { type: 'string' },
    target,
    progress: {
      type: 'object',
      required: ['undone', 'total'],
      properties: { undone: { type: 'integer' }, total: { type: 'integer' } },
    },
    kept: {
      type: 'array',
      items: {
        type: 'object',
        required: ['step', 'why'],
        properties: { step: { type: 'string' }, why: { type: 'string' } },
      },
    },
    result: { description: 'As the operation answered it.' },
    error: refusal,
    undo,
    undone,
  },
}

/** Told with 202: what has not ended within its `wait`. */
export const pendingSchema: JsonSchema = {
  type: 'object',
  required: ['state', 'operation'],
  properties: {
    state: { enum: ['running', 'undoing'] },
    operation: { type: 'object', required: ['key', 'href'], properties: { key: { type: 'string' }, href } },
  },
}

/** A response whose body is JSON. */
export const jsonResponse = (description: string, schema: JsonSchema): JsonSchema => ({
  description,
  content: { 'application/json': { schema } },
})
