import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { documentedRead } from '../http.ts'
import type { DemoAccount } from './accounts.ts'

const demoAccountPage = z.strictObject({
  items: z.array(
    z.strictObject({ role: z.enum(['customer', 'admin']), email: z.string(), password: z.string() }),
  ) satisfies z.ZodType<readonly DemoAccount[]>,
  nextCursor: z.null(),
})

/** The accounts to try a demonstration with, passwords included; a shop on its own database has none. */
export function demoAccountsRoute(app: FastifyInstance, accounts: readonly DemoAccount[]): void {
  app.get(
    '/api/demo-accounts',
    documentedRead({
      summary: 'Accounts to try this shop with',
      tags: ['people'],
      response: demoAccountPage,
      open: true,
    }),
    async (_request, reply) =>
      reply.send({
        items: accounts.map(({ role, email, password }) => ({ role, email, password })),
        nextCursor: null,
      }),
  )
}
