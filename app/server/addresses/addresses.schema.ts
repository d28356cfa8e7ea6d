import { z } from 'zod'
import { text } from '../accounts/accounts.schema.ts'
import type { Address } from './addresses.ts'
import { countries } from './countries.ts'

const country = z.string().refine((code) => countries.has(code), 'must be an ISO 3166 alpha-2 code such as IN')
const phone = z
  .string()
  .trim()
  .regex(/^\+?[0-9 ()-]{4,30}$/, 'must be a telephone number')

export const newAddress = z.strictObject({
  name: text(120),
  line1: text(200),
  line2: text(200).optional(),
  city: text(120),
  region: text(120).optional(),
  postalCode: text(20),
  country,
  phone: phone.optional(),
})

/** What is left out stays; null takes an optional field away. */
export const addressChange = z.strictObject({
  id: z.string().max(100),
  name: text(120).optional(),
  line1: text(200).optional(),
  line2: text(200).nullable().optional(),
  city: text(120).optional(),
  region: text(120).nullable().optional(),
  postalCode: text(20).optional(),
  country: country.optional(),
  phone: phone.nullable().optional(),
})

export const addressRemoval = z.strictObject({ id: z.string().max(100) })

/** Where somebody lives; an order keeps a copy. */
export const postalAddress = z.strictObject({
  name: z.string(),
  line1: z.string(),
  line2: z.string().optional(),
  city: z.string(),
  region: z.string().optional(),
  postalCode: z.string(),
  country: z.string(),
  phone: z.string().optional(),
})

export const address = postalAddress.extend({ id: z.string(), version: z.int() }) satisfies z.ZodType<Address>

export const addressPage = z.strictObject({ items: z.array(address), nextCursor: z.string().nullable() })
