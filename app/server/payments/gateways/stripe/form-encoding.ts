export type FormParameter =
  | string
  | number
  | boolean
  | undefined
  | readonly FormParameter[]
  | { readonly [name: string]: FormParameter }

export type FormParameters = { readonly [name: string]: FormParameter }

/**
 * Stripe's nesting: `{metadata: {order: 'o1'}, expand: ['latest_charge']}` becomes
 * `metadata[order]=o1&expand[0]=latest_charge`. Undefined is left out. The same parameters always give the same text.
 */
export function encodeForm(params: FormParameters): string {
  const form = new URLSearchParams()
  const add = (name: string, value: FormParameter): void => {
    if (value === undefined) return
    if (typeof value !== 'object') {
      form.append(name, String(value))
      return
    }
    for (const [inner, item] of Object.entries(value)) add(`${name}[${inner}]`, item as FormParameter)
  }
  for (const [name, value] of Object.entries(params)) add(name, value)
  return form.toString()
}
