import { z } from 'zod'
import { locales } from '../accounts/accounts.ts'
import { pageQuery } from '../http.ts'
import type { RenderedMail } from './letter.ts'
import { deliveryOutcomes, mailStates, mailTemplates, type Mail, type MailTry } from './mail.ts'

export const mailQuery = pageQuery.extend({
  state: z.enum(mailStates).optional(),
  /** A part of the address. */
  email: z.string().trim().min(1).max(254).optional(),
})

const listedMail = z.object({
  id: z.string(),
  accountId: z.string(),
  to: z.string(),
  template: z.enum(mailTemplates),
  locale: z.enum(locales),
  state: z.enum(mailStates),
  /** Of a failed mail: why. */
  failure: z.string().optional(),
  createdAt: z.iso.datetime(),
  sentAt: z.iso.datetime().optional(),
  /** Of a queued mail: when it is tried next. */
  dueAt: z.iso.datetime().optional(),
})

export const mailPage = z.object({ items: z.array(listedMail), nextCursor: z.string().nullable() })

export const mailView = listedMail.extend({
  /** How often it was tried, and what the relay said. */
  attempts: z.int(),
  tries: z.array(
    z.object({ round: z.int(), outcome: z.enum(deliveryOutcomes), reply: z.string(), at: z.iso.datetime() }),
  ),
})
export type MailView = z.output<typeof mailView>

/** With its words; absent where it cannot be rendered, and then the tries say why. The link of a password reset is left out. */
export const mailWithText = mailView.extend({
  rendered: z.object({ subject: z.string(), text: z.string(), html: z.string() }).optional(),
})
export type MailWithText = z.output<typeof mailWithText>

export const viewListedMail = (mail: Mail): z.output<typeof listedMail> => ({
  id: mail.id,
  accountId: mail.accountId,
  to: mail.recipient,
  template: mail.template,
  locale: mail.locale,
  state: mail.state,
  ...(mail.failure !== undefined && { failure: mail.failure }),
  createdAt: mail.createdAt.toISOString(),
  ...(mail.sentAt && { sentAt: mail.sentAt.toISOString() }),
  ...(mail.state === 'queued' && { dueAt: mail.dueAt.toISOString() }),
})

export const viewMail = (mail: Mail, tries: readonly MailTry[]): MailView => ({
  ...viewListedMail(mail),
  attempts: tries.length,
  tries: tries.map(({ round, outcome, reply, at }) => ({ round, outcome, reply, at: at.toISOString() })),
})

export const viewWithText = (
  mail: Mail,
  tries: readonly MailTry[],
  rendered: RenderedMail | undefined,
): MailWithText => ({ ...viewMail(mail, tries), ...(rendered && { rendered }) })
