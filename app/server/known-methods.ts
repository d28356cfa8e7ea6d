import type { FastifyInstance, FastifyReply } from 'fastify'
import { refuse } from 'safepoint'
import type { ProblemTable } from 'safepoint/fastify'

export const methodProblems: ProblemTable = {
  method_not_allowed: {
    status: 405,
    title: { en: 'Not by this method', he: 'שיטה לא נתמכת' },
    detail: { en: 'There is something here, but not for this method.', he: 'יש כאן משאב, אך לא בשיטה זו.' },
    remedy: 'The `Allow` header says which methods there are; so does OPTIONS.',
  },
}

interface KnownPath {
  readonly pattern: RegExp
  readonly methods: Set<string>
}

/**
 * A path that there is, and not for this method: 405 with `Allow` (RFC 9110 section 15.5.6), before a body is read. OPTIONS that is
 * no preflight of a browser answers 204 with the same. Knows the routes as they are registered; call it before any is.
 */
export function answerKnownMethods(app: FastifyInstance): void {
  const paths = new Map<string, KnownPath>()
  app.addHook('onRoute', ({ url, method }) => {
    // Of files, and of what plugins catch: what there is they say themselves.
    if (url.includes('*')) return
    const known = paths.get(url) ?? { pattern: patternOf(url), methods: new Set() }
    paths.set(url, known)
    for (const one of [method].flat()) known.methods.add(one)
  })

  /** Where several patterns fit, each method finds its own route. */
  const methodsAt = (url: string): string[] => {
    const [path = ''] = url.split('?', 1)
    const found = [...paths.values()].filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => [...methods])
    return found.length === 0 ? [] : [...new Set([...found, 'OPTIONS'])].toSorted()
  }

  const allow = (url: string, reply: FastifyReply): boolean => {
    const allowed = methodsAt(url)
    if (allowed.length > 0) reply.header('allow', allowed.join(', '))
    return allowed.length > 0
  }

  // Before CORS, which takes any OPTIONS for a preflight.
  app.addHook('onRequest', async (request, reply) => {
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] !== undefined) return undefined
    return allow(request.url, reply) ? reply.code(204).send() : undefined
  })
  // After it, so that a page of another origin may read the answer.
  app.addHook('preParsing', async (request, reply) => {
    if (!request.is404 || !allow(request.url, reply)) return undefined
    return reply.problem(refuse('method_not_allowed', `${request.method} is not one of its methods.`))
  })
}

/** `/api/orders/:id` with any id, and with or without a slash behind it. */
const patternOf = (url: string): RegExp =>
  new RegExp(
    `^${url
      .replace(/\/$/, '')
      .split('/')
      .map((part) => (part.startsWith(':') ? '[^/]+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')))
      .join('/')}/?$`,
  )
