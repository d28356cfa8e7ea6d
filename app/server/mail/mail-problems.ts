import type { ProblemTable } from 'safepoint/fastify'

/** The codes of this domain as they are told over HTTP. */
export const mailProblems: ProblemTable = {
  mail_not_found: {
    status: 404,
    title: { en: 'No such mail', he: 'אין הודעה כזו' },
    detail: { en: 'There is no such mail in the outbox.', he: 'אין הודעה כזו בתיבת הדואר היוצא.' },
    remedy: 'Check the id against GET /api/admin/mails.',
  },
  mail_not_failed: {
    status: 409,
    title: { en: 'Nothing to send again', he: 'אין מה לשלוח שוב' },
    detail: {
      en: 'Only a failed mail of an account that is open is sent again; this one is {state}.',
      he: 'רק הודעה שנכשלה, של חשבון פתוח, נשלחת שוב; מצבה של זו: {state}.',
    },
    remedy: 'Read the mail: `state` and `tries` say what became of it.',
  },
}
