import pino, { type LevelWithSilent, type Logger } from 'pino'
import { isAway } from 'safepoint'

export type { Logger }

export interface LogSettings {
  readonly logLevel: LevelWithSilent
  /** Default: the standard output. */
  readonly logFile?: string | undefined
}

/** Structured logs: JSON lines on stdout, or appended to `LOG_FILE`. */
export function createLog({ logLevel, logFile }: LogSettings): Logger {
  return pino(
    { level: logLevel, serializers: { err: tellError } },
    pino.destination(logFile === undefined ? { dest: 1, sync: false } : { dest: logFile, mkdir: true, sync: false }),
  )
}

/** Where in the code it was noticed says nothing about a database that is away, and would be said with every line of that time. */
export function tellError(error: unknown): unknown {
  const told = pino.stdSerializers.err(error as Error) as unknown
  if (!isAway(error) && !isAway((error as Error | undefined)?.cause)) return told
  const { type, message, code } = told as { type?: unknown; message?: unknown; code?: unknown }
  return { type, message, code }
}

const levels = new Set(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])

/** The log of one area, at the level that `LOG_LEVEL_<AREA>` says. */
export function areaLog(log: Logger, area: string, env: Readonly<Record<string, string | undefined>>): Logger {
  const level = env[`LOG_LEVEL_${area.toUpperCase()}`]
  return log.child({ area }, level !== undefined && levels.has(level) ? { level } : {})
}
