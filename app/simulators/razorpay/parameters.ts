import { z } from 'zod'
import { invalid } from './razorpay-error.ts'

const notes = z
  .record(z.string(), z.union([z.string(), z.number()]))
  .refine((given) => Object.keys(given).length <= 15, 'You cannot have more than 15 notes.')
  .refine((given) => Object.values(given).every((text) => String(text).length <= 256), 'A note is too long.')
  .transform((given) => Object.fromEntries(Object.entries(given).map(([name, text]) => [name, String(text)])))

const amount = z.int('The amount must be an integer.')
const atLeastOne = (given: number) => given >= 100
const tooSmall = 'The amount must be at least INR 1.00'
const currency = z.string('The currency field is required.').regex(/^[A-Z]{3}$/, 'The currency is not supported.')

export const createOrderParams = z.strictObject({
  amount: amount.refine(atLeastOne, tooSmall),
  currency,
  receipt: z.string().max(40, 'The receipt may not be greater than 40 characters.').optional(),
  notes: notes.default({}),
  partial_payment: z.boolean().optional(),
  payment: z
    .strictObject({
      capture: z.enum(['automatic', 'manual']),
      capture_options: z
        .strictObject({
          automatic_expiry_period: z.int().min(12).optional(),
          manual_expiry_period: z.int().min(12).max(7200).optional(),
          refund_speed: z.enum(['normal', 'optimum']),
        })
        .optional(),
    })
    .optional(),
})

export const captureParams = z.strictObject({ amount, currency })

export const refundParams = z.strictObject({
  amount: amount.refine(atLeastOne, tooSmall).optional(),
  speed: z.literal('normal').optional(),
  notes: notes.default({}),
  receipt: z.string().max(40).optional(),
})

export const paging = {
  count: z.coerce.number().int().min(1).max(100).default(10),
  skip: z.coerce.number().int().min(0).default(0),
}
export const listParams = z.strictObject(paging)
export const listOrdersParams = z.strictObject({ ...paging, receipt: z.string().optional() })
export const noParams = z.strictObject({})

/** The first thing that is wrong, as the vendor says it. */
export function readParams<T extends z.ZodType>(schema: T, given: unknown): z.output<T> {
  const read = schema.safeParse(given)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  if (issue?.code === 'unrecognized_keys')
    throw invalid(`${issue.keys.join(', ')} is/are not required and should not be sent`)
  throw invalid(issue?.message ?? 'Invalid input', issue?.path.join('.') || undefined)
}
