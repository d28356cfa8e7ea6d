import { listMails } from '../mail/mail.queries.ts'
import { mailStates } from '../mail/mail.ts'
import { listCancelEvents } from './cli.queries.ts'
import { readCount, readOneOf, type Command } from './command.ts'

const cancelEvents: Command = {
  name: ['cancel-events'],
  summary: 'Who cancelled what, and what came of it, the latest first',
  options: { last: { value: 'N', says: 'so many of them; default 10' } },
  async run({ database }, { options }) {
    const events = await listCancelEvents(database, readCount(options.last, 'last', 10))
    return {
      json: events,
      table: {
        head: ['at', 'who', 'operation', 'outcome', 'noop', 'reason', 'key'],
        rows: events.map((event) => [
          event.at,
          event.email ?? event.actor,
          event.operation,
          event.outcome,
          event.noop,
          event.reason,
          event.key,
        ]),
      },
      empty: 'Nobody has cancelled anything.',
    }
  },
}

const mails: Command = {
  name: ['mails', 'list'],
  summary: 'Mails of the outbox, the latest first',
  options: {
    state: { value: 'STATE', says: `only ${mailStates.join(', ')}` },
    email: { value: 'TEXT', says: 'only to addresses that have this in them' },
    limit: { value: 'N', says: 'so many of them; default 20' },
  },
  async run({ database }, { options }) {
    const found = await listMails(database, {
      state: readOneOf(options.state, 'state', mailStates),
      email: options.email === undefined ? undefined : String(options.email),
      limit: readCount(options.limit, 'limit', 20),
      after: undefined,
    })
    return {
      json: found,
      table: {
        head: ['queued', 'to', 'template', 'language', 'state', 'sent', 'failure', 'id'],
        rows: found.map((mail) => [
          mail.createdAt,
          mail.recipient,
          mail.template,
          mail.locale,
          mail.state,
          mail.sentAt,
          mail.failure,
          mail.id,
        ]),
      },
      empty: 'There are none.',
    }
  },
}

export const auditCommands: readonly Command[] = [cancelEvents, mails]
