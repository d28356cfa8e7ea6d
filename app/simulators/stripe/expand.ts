import type { Book } from './book.ts'
import { invalidParameter } from './stripe-error.ts'

const expandable = new Set(['latest_charge', 'charge', 'payment_intent', 'payment_intent.latest_charge'])

/** Refuses what cannot be expanded, before the call begins. https://docs.stripe.com/api/expanding_objects */
export function checkExpand(paths: readonly string[] = [], list: boolean): void {
  for (const path of paths) {
    const inner = list && path.startsWith('data.') ? path.slice('data.'.length) : list ? '' : path
    if (!expandable.has(inner))
      throw invalidParameter(undefined, 'expand', `This property cannot be expanded (${path}).`)
  }
}

/** A copy of `object` in which the ids at `paths` are replaced by the objects they name. */
export function expand(book: Book, object: object, paths: readonly string[] = []): object {
  const copy = structuredClone(object) as Record<string, unknown>
  for (const path of paths) expandAt(book, copy, path.split('.'))
  return copy
}

function expandAt(book: Book, at: Record<string, unknown>, [name, ...rest]: string[]): void {
  if (name === undefined) return
  const value = at[name]
  if (Array.isArray(value)) {
    for (const item of value) expandAt(book, item as Record<string, unknown>, rest)
    return
  }
  if (typeof value === 'string') at[name] = structuredClone(book.intents.get(value) ?? book.charges.get(value) ?? value)
  const inner = at[name]
  if (inner !== null && typeof inner === 'object') expandAt(book, inner as Record<string, unknown>, rest)
}
