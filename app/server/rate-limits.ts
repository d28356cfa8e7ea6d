import fs from 'node:fs'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { refuse } from 'safepoint'
import { z } from 'zod'
import { findIdentity } from './accounts/authenticate.ts'
import { ConfigError } from './config.ts'

/** What a request is counted as. Cancels have a count of their own: who has asked for too much can still take it back. */
export type LimitGroup = 'auth' | 'write' | 'cancel' | 'read'

export interface Limit {
  /** Requests of one account, or of one address where there is no account, in any `seconds`. */
  readonly max: number
  readonly seconds: number
}

export type RateLimits = Readonly<Record<LimitGroup, Limit>>

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Default: `read` or `write`, by method. */
    limit?: LimitGroup
  }
}

/** Of each process; several processes admit as many times more. */
export const builtInLimits: RateLimits = {
  // Each takes a core for some 15 ms, and guesses a password.
  auth: { max: 30, seconds: 60 },
  write: { max: 300, seconds: 60 },
  cancel: { max: 300, seconds: 60 },
  read: { max: 1200, seconds: 60 },
}

const limit = z.strictObject({ max: z.int().min(0), seconds: z.int().min(1).max(86_400) })
const limitsFile = z.strictObject({ auth: limit, write: limit, cancel: limit, read: limit }).partial()

/** What `RATE_LIMITS` says: `off`, a JSON file of the groups that differ, or (absent) the built-in ones. Throws {@link ConfigError}. */
export function readRateLimits(setting: string | undefined): RateLimits | undefined {
  if (setting === 'off') return undefined
  if (setting === undefined || setting === 'built-in') return builtInLimits
  try {
    const { auth, write, cancel, read } = limitsFile.parse(JSON.parse(fs.readFileSync(setting, 'utf8')))
    return {
      auth: auth ?? builtInLimits.auth,
      write: write ?? builtInLimits.write,
      cancel: cancel ?? builtInLimits.cancel,
      read: read ?? builtInLimits.read,
    }
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message
    throw new ConfigError(
      `RATE_LIMITS is neither \`off\` nor a file such as {"auth": {"max": 30, "seconds": 60}} (of auth, write, cancel, read):\n  ${why}`,
    )
  }
}

/**
 * Counts requests to the API before anything else is done for them, so that one too many leaves no row (I13): 429
 * `rate_limited` with Retry-After. Register it after what reads the access token.
 */
export async function limitRates(app: FastifyInstance, limits: RateLimits): Promise<void> {
  await app.register(rateLimit, { global: false, cache: 50_000 })
  const counter = (group: LimitGroup) =>
    app.createRateLimit({
      max: limits[group].max,
      timeWindow: limits[group].seconds * 1000,
      // Who is about to log in has no account yet; whose token is of no use is an address too.
      ...(group !== 'auth' && {
        keyGenerator: (request: FastifyRequest) => findIdentity(request)?.accountId ?? addressOf(request),
      }),
    })
  const counters = { auth: counter('auth'), write: counter('write'), cancel: counter('cancel'), read: counter('read') }
  app.addHook('onRequest', async (request) => {
    const group = groupOf(request)
    if (!group) return
    const count = await counters[group](request)
    if (count.isAllowed || !count.isExceeded) return
    throw refuse('rate_limited', 'Too many requests.', {
      retryable: true,
      retryAfterMs: Math.max(1, count.ttl),
      details: { limit: count.max },
    })
  })
}

const addressOf = (request: FastifyRequest): string => rateLimit.normalizeIP(request.ip)

function groupOf({ method, routeOptions }: FastifyRequest): LimitGroup | undefined {
  const { url, config } = routeOptions
  if (url === undefined || !url.startsWith('/api/')) return undefined
  if (config.limit) return config.limit
  if (method === 'GET' || method === 'HEAD') return 'read'
  return /^\/api\/operations\/:key\/cancel$/.test(url) ? 'cancel' : 'write'
}
