export interface CardcomConfig {
  /** Without the version path: `https://secure.cardcom.solutions`, or the simulator's URL. */
  readonly baseUrl: string
  readonly terminalNumber: number
  readonly apiName: string
  readonly apiPassword: string
}

/**
 * Reads `CARDCOM_BASE_URL`, `CARDCOM_TERMINAL_NUMBER`, `CARDCOM_API_NAME`, `CARDCOM_API_PASSWORD`. Undefined where a
 * credential is missing: then the gateway is not offered. The password is not needed to charge, but to give money back: a
 * gateway that could only take is not offered either.
 */
export function readCardcomConfig(env: Readonly<Record<string, string | undefined>>): CardcomConfig | undefined {
  const terminal = env['CARDCOM_TERMINAL_NUMBER']?.trim()
  const apiName = env['CARDCOM_API_NAME']?.trim()
  const apiPassword = env['CARDCOM_API_PASSWORD']?.trim()
  if (!terminal || !apiName || !apiPassword) return undefined
  if (!/^[1-9]\d{0,8}$/.test(terminal)) throw new Error(`CARDCOM_TERMINAL_NUMBER must be a number (${terminal})`)
  const baseUrl = env['CARDCOM_BASE_URL']?.trim() || 'https://secure.cardcom.solutions'
  return { baseUrl, terminalNumber: Number(terminal), apiName, apiPassword }
}
