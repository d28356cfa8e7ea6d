import type { FastifyInstance } from 'fastify'

/** Requests of one route that were answered with one status. */
export interface RequestCount {
  readonly method: string
  /** The route's pattern, never the path as it was asked for: a closed set. */
  readonly route: string
  readonly status: number
  count: number
  /** What they took in all. */
  seconds: number
}

/** Counts what an application answers, from its next route on. */
export function countRequests(app: FastifyInstance): () => readonly RequestCount[] {
  const counts = new Map<string, RequestCount>()
  app.addHook('onResponse', async ({ method, routeOptions }, { statusCode: status, elapsedTime }) => {
    const route = routeOptions.url ?? 'none'
    const name = `${method} ${route} ${status}`
    const known = counts.get(name) ?? { method, route, status, count: 0, seconds: 0 }
    counts.set(name, known)
    known.count++
    known.seconds += elapsedTime / 1000
  })
  return () => [...counts.values()]
}
