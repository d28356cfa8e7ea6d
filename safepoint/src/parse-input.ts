import { engineError } from './errors.ts'
import type { SchemaIssue, SchemaResult, StandardSchema } from './standard-schema.ts'

/** Throws `input_invalid`, one entry a field. */
export function parseInput<Output>(schema: StandardSchema<any, Output>, input: unknown): Output | Promise<Output> {
  const result = schema['~standard'].validate(input)
  // Not only a Promise of this realm: taken for a result, any other one would say that the input is `undefined`.
  return 'then' in result ? Promise.resolve(result).then(valueOf) : valueOf(result)
}

function valueOf<Output>(result: SchemaResult<Output>): Output {
  if (!result.issues) return result.value
  throw engineError('input_invalid', 'The input is not valid.', { details: { errors: result.issues.map(issueOf) } })
}

/** What is made of an input by writing it as JSON. Throws `input_invalid` where that is not possible, as of a cycle. */
export function inJson<T>(write: () => T): T {
  try {
    return write()
  } catch (cause) {
    throw engineError('input_invalid', 'The input cannot be said in JSON.', { cause })
  }
}

function issueOf(issue: SchemaIssue): { path: string; message: string } {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
  return { path, message: issue.message }
}
