import type { ProblemTable } from 'safepoint/fastify'

export const eventProblems: ProblemTable = {
  too_many_streams: {
    status: 429,
    title: { en: 'Too many streams', he: 'יותר מדי ערוצי עדכון' },
    detail: {
      en: 'This account has {limit} event streams open here already.',
      he: 'לחשבון זה כבר פתוחים כאן {limit} ערוצי עדכון.',
    },
    remedy: 'Close one, or read all topics in one stream: GET /api/events?topics=…',
  },
}
