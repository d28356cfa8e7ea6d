import type { FormMap, FormValue } from './form.ts'
import { invalidParameter } from './stripe-error.ts'

/** What a parameter may be. `map` is a nested object of known fields, `list` a list of one kind. */
export type Field =
  | { readonly is: 'string'; readonly max?: number; readonly required?: true }
  | { readonly is: 'integer'; readonly required?: true }
  | { readonly is: 'boolean'; readonly required?: true }
  | { readonly is: 'one-of'; readonly values: readonly string[]; readonly required?: true }
  | { readonly is: 'metadata'; readonly required?: true }
  | { readonly is: 'list'; readonly of: Field; readonly required?: true }
  | { readonly is: 'map'; readonly fields: Fields; readonly required?: true }

export type Fields = { readonly [name: string]: Field }

type ValueOf<F> = F extends { is: 'integer' }
  ? number
  : F extends { is: 'boolean' }
    ? boolean
    : F extends { is: 'one-of'; values: readonly (infer V)[] }
      ? V
      : F extends { is: 'metadata' }
        ? Record<string, string>
        : F extends { is: 'list'; of: infer Item }
          ? ValueOf<Item>[]
          : F extends { is: 'map'; fields: infer Inner extends Fields }
            ? Parameters<Inner>
            : string

/** The typed parameters of a route. */
export type Parameters<F extends Fields> = {
  readonly [Name in keyof F as F[Name] extends { required: true } ? Name : never]: ValueOf<F[Name]>
} & {
  readonly [Name in keyof F as F[Name] extends { required: true } ? never : Name]?: ValueOf<F[Name]>
}

export const text = { is: 'string' } as const
export const integer = { is: 'integer' } as const
export const boolean = { is: 'boolean' } as const
export const metadata = { is: 'metadata' } as const
export const texts = { is: 'list', of: text } as const
/** A moment, or a range of moments, in Unix seconds. */
export const createdRange = { is: 'map', fields: { gt: integer, gte: integer, lt: integer, lte: integer } } as const
export const paging = {
  limit: integer,
  starting_after: text,
  ending_before: text,
  expand: texts,
} as const

/** Reads a nested form by its fields; what is unknown, missing or of another kind is refused as Stripe refuses it. */
export function readParameters<F extends Fields>(fields: F, form: FormMap, at = ''): Parameters<F> {
  const values = Object.create(null) as Record<string, unknown>
  for (const [name, value] of Object.entries(form)) {
    const param = at ? `${at}[${name}]` : name
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (!field) throw invalidParameter('parameter_unknown', param, `Received unknown parameter: ${param}`)
    values[name] = readValue(field, value, param)
  }
  for (const [name, field] of Object.entries(fields)) {
    const param = at ? `${at}[${name}]` : name
    if (field.required && values[name] === undefined)
      throw invalidParameter('parameter_missing', param, `Missing required param: ${param}.`)
  }
  return values as Parameters<F>
}

function readValue(field: Field, value: FormValue, param: string): unknown {
  switch (field.is) {
    case 'list':
      if (!Array.isArray(value)) throw invalidParameter(undefined, param, 'Invalid array')
      return value.map((item, i) => readValue(field.of, item, `${param}[${i}]`))
    case 'map':
      if (typeof value === 'string' || Array.isArray(value)) throw invalidParameter(undefined, param, 'Invalid object')
      return readParameters(field.fields, value, param)
    case 'metadata':
      return readMetadata(value, param)
    case 'string':
      return readText(scalar(value, param), param, field.max ?? 5000)
    case 'integer': {
      const given = scalar(value, param)
      if (!/^-?\d{1,15}$/.test(given)) {
        throw invalidParameter('parameter_invalid_integer', param, `Invalid integer: ${given}`)
      }
      return Number(given)
    }
    case 'boolean': {
      const given = scalar(value, param)
      if (given !== 'true' && given !== 'false') throw invalidParameter(undefined, param, `Invalid boolean: ${given}`)
      return given === 'true'
    }
    case 'one-of': {
      const given = scalar(value, param)
      if (field.values.includes(given)) return given
      throw invalidParameter(undefined, param, `Invalid ${param}: must be one of ${field.values.join(', ')}`)
    }
  }
}

function scalar(value: FormValue, param: string): string {
  if (typeof value !== 'string') throw invalidParameter(undefined, param, `Invalid string: ${JSON.stringify(value)}`)
  return value
}

function readText(given: string, param: string, max: number): string {
  // An empty string unsets a value at Stripe; nothing here can be unset, so it is refused as where that is so there.
  if (given === '') {
    throw invalidParameter(
      'parameter_invalid_empty',
      param,
      `You passed an empty string for '${param}'. We assume empty values are an attempt to unset a parameter; however '${param}' cannot be unset. You should remove '${param}' from your request or supply a non-empty value.`,
    )
  }
  if (given.length > max) throw invalidParameter(undefined, param, `Invalid string: must be at most ${max} characters`)
  return given
}

/** 50 pairs, names of 40 and values of 500 characters. https://docs.stripe.com/metadata */
function readMetadata(value: FormValue, param: string): Record<string, string> {
  if (typeof value === 'string' || Array.isArray(value)) throw invalidParameter(undefined, param, 'Invalid object')
  const pairs = Object.entries(value)
  if (pairs.length > 50) throw invalidParameter(undefined, param, 'Metadata may have at most 50 keys')
  const read: Record<string, string> = {}
  for (const [name, item] of pairs) {
    const inner = `${param}[${name}]`
    if (typeof item !== 'string') throw invalidParameter(undefined, inner, 'Metadata values must be strings')
    if (name.length > 40) throw invalidParameter(undefined, inner, 'Metadata keys must be at most 40 characters')
    if (item.length > 500) throw invalidParameter(undefined, inner, 'Metadata values must be at most 500 characters')
    read[name] = item
  }
  return read
}
