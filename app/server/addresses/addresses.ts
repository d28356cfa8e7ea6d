/** Where something is sent, or a bill goes to. */
export interface AddressFields {
  readonly name: string
  readonly line1: string
  readonly line2?: string | undefined
  readonly city: string
  readonly region?: string | undefined
  readonly postalCode: string
  /** ISO 3166 alpha-2. */
  readonly country: string
  readonly phone?: string | undefined
}

export interface Address extends AddressFields {
  readonly id: string
  readonly version: number
}

/** The most that one account keeps. */
export const addressLimit = 50
