import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import type { SmtpConfig } from './mail/smtp-relay.ts'
import { defaultRefundAlarmDays } from './payments/alarm-refunds.ts'
import { defaultBreaker, type BreakerSettings } from './payments/gateway-breaker.ts'
import { defaultPayloadDays } from './payments/webhooks/strip-webhooks.ts'
import { defaultTries } from './payments/webhooks/webhook-events.ts'

const flag = z.enum(['on', 'off'])
const url = (schemes: RegExp, example: string) =>
  z
    .string()
    .refine((value) => URL.canParse(value) && schemes.test(new URL(value).protocol), `must be a URL such as ${example}`)
const postgresUrl = url(/^postgres(ql)?:$/, 'postgres://user:password@host:5432/pantry')
const milliseconds = (min: number, max: number) => z.coerce.number().int().min(min).max(max)
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
  SMTP_URL: url(/^smtps?:$/, 'smtp://user:password@mail.example.com:587').optional(),
  MAIL_FROM: z
    .string()
    .regex(/^([^<>\r\n]*<)?[^\s<>@]+@[^\s<>@]+>?$/, 'must be an address such as Pantry <shop@example.com>')
    .optional(),
  SIMULATORS: flag.optional(),
  RATE_LIMITS: z.string().min(1).optional(),
  CONFLICT_ATTEMPTS: z.coerce.number().int().min(3).max(5).optional(),
  OPERATION_LEASE_MS: z.coerce.number().int().min(500).max(600_000).optional(),
  GATEWAY_TIMEOUT_MS: milliseconds(100, 10_000).default(defaultBreaker.timeouts.money),
  GATEWAY_PAGE_TIMEOUT_MS: milliseconds(100, 10_000).default(defaultBreaker.timeouts.page),
  GATEWAY_READ_TIMEOUT_MS: milliseconds(100, 10_000).default(defaultBreaker.timeouts.read),
  GATEWAY_BREAKER_PERCENT: z.coerce.number().int().min(1).max(100).default(defaultBreaker.percent),
  GATEWAY_BREAKER_CALLS: z.coerce.number().int().min(1).max(10_000).default(defaultBreaker.calls),
  GATEWAY_BREAKER_WINDOW_MS: milliseconds(1000, 3600_000).default(defaultBreaker.window),
  GATEWAY_BREAKER_OPEN_MS: milliseconds(100, 3600_000).default(defaultBreaker.open),
  WEBHOOK_TRIES: z.coerce.number().int().min(1).max(1000).default(defaultTries),
  WEBHOOK_PAYLOAD_DAYS: z.coerce.number().int().min(1).max(3650).default(defaultPayloadDays),
  REFUND_ALARM_DAYS: z.coerce.number().int().min(1).max(365).default(defaultRefundAlarmDays),
  METRICS_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
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
  /** The relay that mails go through; absent: a simulator where `simulators` is on, else they stay queued. */
  readonly smtp: SmtpConfig | undefined
  /** Whom mails come from. */
  readonly mailFrom: string
  /** `off`, or a file; absent: the built-in ones. */
  readonly rateLimits: string | undefined
  /** How long a process may be silent before another takes its operations over, in milliseconds; absent: the engine's default. */
  readonly operationLease: number | undefined
  /** Runs of a transaction that keeps losing races, in all: 3 to 5; absent: the engine's default, 3. */
  readonly conflictAttempts: number | undefined
  /**
   * When a payment gateway is left alone for a while, and how long a call to one may take: `GATEWAY_TIMEOUT_MS` (what moves
   * money; default 10 000, and no more), `GATEWAY_PAGE_TIMEOUT_MS` (8000), `GATEWAY_READ_TIMEOUT_MS` (6000); a breaker opens
   * where more than `GATEWAY_BREAKER_PERCENT` (50) of at least `GATEWAY_BREAKER_CALLS` (5) calls within
   * `GATEWAY_BREAKER_WINDOW_MS` (60 000) have failed, and lets one through after `GATEWAY_BREAKER_OPEN_MS` (15 000).
   */
  readonly gatewayBreaker: BreakerSettings
  /** `WEBHOOK_TRIES`: how often a webhook event is tried until it is a dead letter. Default 35, which is about a day. */
  readonly webhookTries: number
  /** `WEBHOOK_PAYLOAD_DAYS`: how long what a gateway told is kept once it was applied. Default 30; what was given up stays. */
  readonly webhookPayloadDays: number
  /** `REFUND_ALARM_DAYS`: after so many days on its way back a refund is told to a human (`npm run pantry -- payments attention`, and by mail). Default 10. */
  readonly refundAlarmDays: number
  /** Lets others than this machine read `/metrics`. */
  readonly metricsToken: string | undefined
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
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith('LOG_LEVEL_') && !level.safeParse(value).success)
      wrong.push(`${name} must be one of ${level.options.join(', ')}`)
  }
  if ((given.ADMIN_EMAIL === undefined) !== (given.ADMIN_PASSWORD === undefined)) {
    wrong.push('ADMIN_EMAIL and ADMIN_PASSWORD are given together')
  }
  const mailFrom = given.MAIL_FROM ?? (given.PUBLIC_URL && senderOf(given.PUBLIC_URL)) ?? 'Pantry <shop@pantry.example>'
  if (given.SMTP_URL !== undefined && given.MAIL_FROM === undefined && given.PUBLIC_URL === undefined) {
    wrong.push('MAIL_FROM is required with SMTP_URL where there is no PUBLIC_URL to take its domain from')
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
    smtp: data.SMTP_URL === undefined ? undefined : { url: data.SMTP_URL, from: mailFrom },
    mailFrom,
    rateLimits: data.RATE_LIMITS,
    operationLease: data.OPERATION_LEASE_MS,
    conflictAttempts: data.CONFLICT_ATTEMPTS,
    gatewayBreaker: {
      timeouts: {
        money: data.GATEWAY_TIMEOUT_MS,
        page: data.GATEWAY_PAGE_TIMEOUT_MS,
        read: data.GATEWAY_READ_TIMEOUT_MS,
      },
      percent: data.GATEWAY_BREAKER_PERCENT,
      calls: data.GATEWAY_BREAKER_CALLS,
      window: data.GATEWAY_BREAKER_WINDOW_MS,
      open: data.GATEWAY_BREAKER_OPEN_MS,
    },
    webhookTries: data.WEBHOOK_TRIES,
    webhookPayloadDays: data.WEBHOOK_PAYLOAD_DAYS,
    refundAlarmDays: data.REFUND_ALARM_DAYS,
    metricsToken: data.METRICS_TOKEN,
    logLevel: data.LOG_LEVEL,
    logFile: data.LOG_FILE,
    env: given,
  }
}

/** Of the shop's own domain. */
const senderOf = (publicUrl: string): string | undefined =>
  URL.canParse(publicUrl) ? `Pantry <no-reply@${new URL(publicUrl).hostname}>` : undefined

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
