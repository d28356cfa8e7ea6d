import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { refuse } from 'safepoint'
import { documentedRead } from '../http.ts'
import { readClientEvents } from './client-events.ts'
import type { RequestCount } from './count-requests.ts'
import type { RetryCounts } from './count-retries.ts'
import { expositionType, writeExposition, type Figures } from './exposition.ts'

export interface MetricsOptions {
  readonly requests: () => readonly RequestCount[]
  readonly retries: () => RetryCounts
  readonly catalog: () => { readonly hits: number; readonly misses: number }
  /** Lets others in than this machine; absent: nobody. */
  readonly token: string | undefined
}

/** What this process has counted since it began, for Prometheus. */
export function metricsRoute(app: FastifyInstance, options: MetricsOptions): void {
  app.get(
    '/metrics',
    documentedRead({
      summary: 'Figures of this process, for Prometheus: from this machine, or with the token of METRICS_TOKEN',
      tags: ['health'],
      media: 'text/plain',
      open: true,
    }),
    async (request, reply) => {
      if (!isFromHere(request) && !hasToken(request, options.token))
        throw refuse('unauthenticated', 'Figures are for this machine, or for who has the token.')
      return reply.type(expositionType).send(writeExposition(figuresOf(options)))
    },
  )
}

function figuresOf({ requests, retries, catalog }: MetricsOptions): Figures[] {
  const counted = requests()
  const { hits, misses } = catalog()
  const { rss } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  const counter = (name: string, help: string, samples: Figures['samples']): Figures => ({
    name,
    help,
    type: 'counter',
    samples,
  })
  return [
    counter(
      'pantry_http_requests_total',
      'Requests answered.',
      counted.map(({ method, route, status, count }) => [{ method, route, status: String(status) }, count]),
    ),
    counter(
      'pantry_http_request_seconds_total',
      'Time they took.',
      counted.map(({ method, route, status, seconds }) => [{ method, route, status: String(status) }, seconds]),
    ),
    counter(
      'pantry_transaction_retries_total',
      'Further runs of transactions that lost a race.',
      Object.entries(retries()).flatMap(([operation, causes]) =>
        Object.entries(causes).map(([cause, count]) => [{ operation, cause }, count] as const),
      ),
    ),
    counter('pantry_catalog_reads_total', 'Reads of the catalogue, by where they were answered from.', [
      [{ from: 'memory' }, hits],
      [{ from: 'database' }, misses],
    ]),
    counter(
      'pantry_client_events_total',
      'What clients have counted.',
      Object.entries(readClientEvents()).map(([type, count]) => [{ type }, count]),
    ),
    counter('process_cpu_seconds_total', 'Processor time.', [[{}, (user + system) / 1e6]]),
    { name: 'process_resident_memory_bytes', help: 'Memory.', type: 'gauge', samples: [[{}, rss]] },
    {
      name: 'process_start_time_seconds',
      help: 'When it began.',
      type: 'gauge',
      samples: [[{}, performance.timeOrigin / 1000]],
    },
  ]
}

/** Not what a proxy on this machine passes on from elsewhere. */
function isFromHere({ ip, headers }: FastifyRequest): boolean {
  const passedOn = headers['x-forwarded-for'] ?? headers.forwarded ?? headers.via
  return passedOn === undefined && isIP(ip) > 0 && /^(::1$|(::ffff:)?127\.)/.test(ip)
}

function hasToken({ headers }: FastifyRequest, token: string | undefined): boolean {
  const shown = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1]
  return token !== undefined && shown !== undefined && timingSafeEqual(digest(shown), digest(token))
}

const digest = (text: string) => createHash('sha256').update(text).digest()
