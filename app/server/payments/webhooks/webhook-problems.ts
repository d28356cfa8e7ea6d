import type { ProblemTable } from 'safepoint/fastify'

/** The codes of the inbox as they are told over HTTP. */
export const webhookProblems: ProblemTable = {
  webhook_not_found: {
    status: 404,
    title: { en: 'No such event', he: 'אין אירוע כזה' },
    detail: { en: 'The inbox has no such event.', he: 'אין אירוע כזה בתיבת הנכנסים.' },
    remedy: 'Take the `id` from GET /api/admin/webhooks; it is not the gateway’s own.',
  },
  webhook_not_replayable: {
    status: 409,
    title: { en: 'Nothing to apply', he: 'אין מה להחיל' },
    detail: {
      en: 'This event is of no interest to a shop; applying it would do nothing.',
      he: 'אירוע זה אינו נוגע לחנות; החלתו לא תשנה דבר.',
    },
    remedy: 'Replay an event that is waiting, dead or applied.',
  },
}
