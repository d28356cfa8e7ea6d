/** A control route of a simulator (`app/simulators/control.ts`). Throws where it does not answer 2xx. */
export type SimulatorControl = <T = unknown>(method: string, route: string, body?: object) => Promise<T>

export const simulatorControl =
  (url: string): SimulatorControl =>
  async <T>(method: string, route: string, body?: object) => {
    const response = await fetch(`${url}/_control${route}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${text}`)
    return JSON.parse(text, exactly) as T
  }

/** A number that would not be what was written is left as it was written: CardCom has ids beyond 2^53. */
function exactly(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) ? context?.source : value
}
