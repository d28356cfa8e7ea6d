import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { z } from 'zod'

const flag = z.enum(['on', 'off'])
const url = (schemes: RegExp, example: string) =>
  z
    .string()
    .refine((value) => URL.canParse(value) && schemes.test(new URL(value).protocol), `must be a URL such as ${example}`)
const postgresUrl = url(/^postgres(ql)?:$/, 'postgres://user:password@host:5432/pantry')
const level = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])

const environment = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000),
  HOST: z.string().min(1).default('127.0.0.1'),
  PUBLIC_URL: url(/^https?:$/, 'https://shop.example.com').optional(),
  DATABASE_URL: postgresUrl.optional(),
  DIRECT_DATABASE_URL: postgresUrl.optional(),
  DATA_DIR: z.string().min(1).default('./.data'),
  ADMIN_EMAIL: z.email().optional(),
  ADMIN_PASSWORD: z.string().min(8, 'must have at least 8 characters').max(200).optional(),
  JWT_SECRET: z
    .string()
    .refine(
      (value) => Buffer.byteLength(value) >= 32,
      'must have at least 32 random bytes (openssl rand -base64 48 makes some)',
    )
    .optional(),
  CORS_ORIGINS: z.string().default(''),
  CORS_SHARED_HOSTING: z.enum(['allow', 'refuse']).default('refuse'),
  SHOP_CURRENCY: z
    .string()
    .refine((value) => Intl.supportedValuesOf('currency').includes(value), 'must be an ISO 4217 code such as INR')
    .default('INR'),
  SIMULATORS: flag.optional(),
  RATE_LIMITS: z.string().min(1).optional(),
  OPERATION_LEASE_MS: z.coerce.number().int().min(500).max(600_000).optional(),
  LOG_LEVEL: level.default('info'),
  LOG_FILE: z.string().min(1).optional(),
})

export interface Config {
  readonly port: number
  readonly host: string
  /** Where customers reach the shop, where that is not where it listens. */
  readonly publicUrl: string | undefined
  /** Absent: the embedded PostgreSQL under `dataDir`. */
  readonly databaseUrl: string | undefined
  readonly directDatabaseUrl: string | undefined
  readonly dataDir: string
  readonly admin: { readonly email: string; readonly password: string } | undefined
  /** Absent: made and kept under `dataDir` (`keepSecret`). */
  readonly jwtSecret: string | undefined
  readonly corsOrigins: readonly string[]
  readonly corsSharedHosting: 'allow' | 'refuse'
  readonly currency: string
  readonly simulators: boolean
  /** `off`, or a file; absent: the built-in ones. */
  readonly rateLimits: string | undefined
  /** How long a process may be silent before another takes its operations over, in milliseconds; absent: the engine's default. */
  readonly operationLease: number | undefined
  readonly logLevel: z.output<typeof level>
  readonly logFile: string | undefined
  /** What the settings of outside services are read from. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What is wrong with the environment, for whoever typed the command. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** The environment as one validated object. An empty variable counts as absent. Throws {@link ConfigError} with all that is wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = environment.safeParse(given)
  const wrong = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)
  if (given.DATABASE_URL !== undefined && given.JWT_SECRET === undefined) {
    wrong.push('JWT_SECRET is required with DATABASE_URL (openssl rand -base64 48 makes one)')
  }
  if ((given.ADMIN_EMAIL === undefined) !== (given.ADMIN_PASSWORD === undefined)) {
    wrong.push('ADMIN_EMAIL and ADMIN_PASSWORD are given together')
  }
  if (!parsed.success || wrong.length > 0)
    throw new ConfigError(`The environment is not right:\n${wrong.map((line) => `  ${line}`).join('\n')}`)
  const { data } = parsed
  return {
    port: data.PORT,
    host: data.HOST,
    publicUrl: data.PUBLIC_URL?.replace(/\/$/, ''),
    databaseUrl: data.DATABASE_URL,
    directDatabaseUrl: data.DIRECT_DATABASE_URL,
    dataDir: path.resolve(data.DATA_DIR),
    admin:
      data.ADMIN_EMAIL && data.ADMIN_PASSWORD ? { email: data.ADMIN_EMAIL, password: data.ADMIN_PASSWORD } : undefined,
    jwtSecret: data.JWT_SECRET,
    corsOrigins: data.CORS_ORIGINS.split(',')
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ''),
    corsSharedHosting: data.CORS_SHARED_HOSTING,
    currency: data.SHOP_CURRENCY,
    simulators: data.SIMULATORS === undefined ? data.DATABASE_URL === undefined : data.SIMULATORS === 'on',
    rateLimits: data.RATE_LIMITS,
    operationLease: data.OPERATION_LEASE_MS,
    logLevel: data.LOG_LEVEL,
    logFile: data.LOG_FILE,
    env: given,
  }
}

/** The secret of a data folder: made at its first start, readable by its owner only, and kept. */
export function keepSecret(dataDir: string): string {
  const file = path.join(dataDir, 'jwt-secret')
  fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  try {
    // 'wx': of two that start at once, one makes it.
    fs.writeFileSync(file, randomBytes(48).toString('base64url'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const secret = fs.readFileSync(file, 'utf8').trim()
  if (Buffer.byteLength(secret) < 32)
    throw new ConfigError(`${file} is damaged: delete it, and everybody logs in again.`)
  return secret
}
