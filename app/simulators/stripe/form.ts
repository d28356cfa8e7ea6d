/** Stripe's nesting on a form or query: a string, a list (`a[]`, `a[0]`) or a map (`a[b]`). */
export type FormValue = string | FormValue[] | { [name: string]: FormValue }
export type FormMap = { [name: string]: FormValue }

/** Every pair as it stood on the wire; of a name that came twice the last one counts. */
export function flatForm(text: string): Record<string, string> {
  const flat: Record<string, string> = Object.create(null) as Record<string, string>
  let unnamed = 0
  for (const [name, value] of new URLSearchParams(text)) {
    // `a[]=x&a[]=y` are two items.
    flat[name.endsWith('[]') ? `${name.slice(0, -2)}[${unnamed++}]` : name] = value
  }
  return flat
}

/** The nested form. Maps have no prototype, so that no parameter name means anything to JavaScript. */
export function nestForm(flat: Readonly<Record<string, string>>): FormMap {
  const root = Object.create(null) as FormMap
  for (const [name, value] of Object.entries(flat)) {
    const path = [name.replace(/\[.*$/s, ''), ...[...name.matchAll(/\[([^\]]*)\]/g)].map((part) => part[1] ?? '')]
    let at = root
    for (const [depth, segment] of path.entries()) {
      if (depth === path.length - 1) at[segment] = value
      else {
        const next = at[segment]
        at =
          typeof next === 'object' && !Array.isArray(next)
            ? next
            : ((at[segment] = Object.create(null) as FormMap) as FormMap)
      }
    }
  }
  return listsOf(root) as FormMap
}

/** Maps whose names are all numbers are lists. */
function listsOf(value: FormValue): FormValue {
  if (typeof value === 'string' || Array.isArray(value)) return value
  const entries = Object.entries(value)
  if (entries.length > 0 && entries.every(([name]) => /^\d+$/.test(name))) {
    return entries.sort(([a], [b]) => Number(a) - Number(b)).map(([, item]) => listsOf(item))
  }
  for (const [name, item] of entries) value[name] = listsOf(item)
  return value
}
