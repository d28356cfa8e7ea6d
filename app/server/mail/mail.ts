import type { Locale } from '../accounts/accounts.ts'

/** What a mail tells of; one file of `templates/` each. */
export const mailTemplates = [
  'confirmation',
  'receipt',
  'refund',
  'payment_failed',
  'password_reset',
  // To those who run the shop.
  'dispute',
  'refund_delayed',
] as const
export type MailTemplate = (typeof mailTemplates)[number]

/** `queued` until the relay has said yes (`sent`), no, or not yet too often (`failed`). */
export const mailStates = ['queued', 'sent', 'failed'] as const
export type MailState = (typeof mailStates)[number]

/**
 * What handing a mail to the relay came to. `deferred`: not now (SMTP 4xx, or it could not be reached); `refused`: never (5xx);
 * `unknown`: the text was sent and its answer was lost.
 */
export const deliveryOutcomes = ['accepted', 'deferred', 'refused', 'unknown'] as const
export interface Delivery {
  readonly outcome: (typeof deliveryOutcomes)[number]
  /** The relay's own words. */
  readonly reply: string
}

/** A row of the outbox. */
export interface Mail {
  readonly id: string
  readonly accountId: string
  readonly template: MailTemplate
  readonly data: Readonly<Record<string, unknown>>
  readonly locale: Locale
  readonly recipient: string
  readonly state: MailState
  readonly round: number
  /** Of a queued mail: when it is tried next. */
  readonly dueAt: Date
  /** Of a failed mail: why. */
  readonly failure: string | undefined
  readonly createdAt: Date
  readonly sentAt: Date | undefined
}

/** One try, for whoever asks why a mail did not arrive. */
export interface MailTry extends Delivery {
  readonly round: number
  readonly at: Date
}

/** Announced with each mail that is queued. */
export const mailTopic = 'mail'

/** The key of a try in the scope of the shop: several processes that make it at once make one. */
export const mailKey = (mailId: string, round: number): string =>
  round === 1 ? `mail:${mailId}` : `mail:${mailId}:${round}`

/**
 * Milliseconds from a try that was put off to the next, ten tries over about a day; then the mail is `failed`. A recipient's
 * greylisting ends within minutes, a relay that is down within hours.
 */
export const mailBackOff: readonly number[] = [
  30_000,
  2 * 60_000,
  10 * 60_000,
  30 * 60_000,
  3600_000,
  2 * 3600_000,
  4 * 3600_000,
  6 * 3600_000,
  12 * 3600_000,
]
