import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { requireAdmin } from '../accounts/authenticate.ts'
import { documentedRead, isId, parseRequest, readCursor, writeCursor } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import type { MailOperations } from './mail-operations.ts'
import { findMail, listMails, listMailTries } from './mail.queries.ts'
import { mailPage, mailQuery, mailView, mailWithText, viewListedMail, viewWithText } from './mail.schema.ts'
import { renderMail, type MailLinks } from './render-mail.ts'
import { noSuchMail } from './resend-mail.ts'

/** The outbox, for administrators. */
export function mailRoutes(
  app: FastifyInstance,
  { database }: Pantry,
  operations: MailOperations,
  links: Pick<MailLinks, 'shop'>,
): void {
  const tags = ['administration']
  const byId = z.strictObject({ id: z.string() })
  // Whoever reads other people's mail must not be able to follow their links.
  const readerLinks: MailLinks = { ...links, resetToken: () => '(hidden)' }

  app.get(
    '/api/admin/mails',
    {
      ...documentedRead({
        summary: 'The outbox, the latest first',
        tags,
        querystring: mailQuery,
        response: mailPage,
      }),
      onRequest: requireAdmin,
    },
    async (request, reply) => {
      const { limit, cursor, state, email } = parseRequest(mailQuery, request.query)
      const [after] = readCursor(cursor, 1) ?? []
      const found = await listMails(database, {
        state,
        email,
        limit: limit + 1,
        after: after !== undefined && isId(after) ? after : undefined,
      })
      const items = found.slice(0, limit).map(viewListedMail)
      const last = items.at(-1)
      return reply.send({ items, nextCursor: found.length > limit && last ? writeCursor([last.id]) : null })
    },
  )

  app.get<{ Params: { id: string } }>(
    '/api/admin/mails/:id',
    {
      ...documentedRead({ summary: 'A mail, its words and its tries', tags, params: byId, response: mailWithText }),
      onRequest: requireAdmin,
    },
    async (request, reply) => {
      const { id } = request.params
      const mail = isId(id) ? await findMail(database, id) : undefined
      if (!mail) throw noSuchMail()
      const [tries, rendered] = await Promise.all([
        listMailTries(database, id),
        renderMail(database, mail, readerLinks).catch((error: unknown) => {
          request.log.warn({ err: error, mailId: id }, 'a mail could not be rendered')
          return undefined
        }),
      ])
      return reply.send(viewWithText(mail, tries, rendered))
    },
  )

  app.operation({
    method: 'POST',
    url: '/api/admin/mails/:id/resend',
    operation: operations.resendMail,
    key: 'optional',
    onRequest: requireAdmin,
    schema: { summary: 'Send a failed mail again', tags, response: mailView },
  })
}
