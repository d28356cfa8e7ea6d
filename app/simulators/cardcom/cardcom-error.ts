import { codes, descriptionOf } from './objects.ts'

/** A no as CardCom says it. Most are HTTP 200, and only `ResponseCode` tells. */
export class CardcomError extends Error {
  override readonly name = 'CardcomError'
  readonly status: number
  readonly code: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: number, message = descriptionOf(code), headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

export const invalid = (message: string) => new CardcomError(400, codes.invalid, message)
export const wrongCredentials = () => new CardcomError(401, codes.wrongCredentials)
export const refused = (code: number, message?: string) => new CardcomError(200, code, message)
