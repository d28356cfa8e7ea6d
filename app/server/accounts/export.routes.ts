import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { refuse } from 'safepoint'
import { documentedRead } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { accountExport } from './account-export.schema.ts'
import { identityOf, requireAccount } from './authenticate.ts'
import { exportAccount } from './export-account.ts'

/** What the shop holds of a person, for that person. */
export function exportRoute(app: FastifyInstance, { database }: Pantry): void {
  app.get(
    '/api/me/export',
    {
      ...documentedRead({
        summary: 'All that the shop holds of me, as one JSON document to keep',
        tags: ['people'],
        response: accountExport,
      }),
      // It reads all there is of an account, however much that may be.
      config: { limit: 'auth' },
      onRequest: requireAccount,
      exposeHeadRoute: false,
    },
    async (request, reply) => {
      const now = new Date()
      const pieces = await exportAccount(database, identityOf(request).accountId, now)
      if (!pieces) throw refuse('unauthenticated', 'This account is closed.')
      // A read that fails in the middle cuts the connection: half a document is never taken for the whole.
      return reply
        .type('application/json; charset=utf-8')
        .header('content-disposition', `attachment; filename="pantry-${now.toISOString().slice(0, 10)}.json"`)
        .send(Readable.from(pieces))
    },
  )
}
