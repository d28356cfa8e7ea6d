import type { ParseArgsOptionsConfig } from 'node:util'
import type { Attached } from './attach.ts'
import type { Told } from './print.ts'
import { UsageError } from './refused.ts'

/** What was typed behind the name of a command. */
export interface Typed {
  /** By the names that `takes` gives them. */
  readonly words: Readonly<Record<string, string | undefined>>
  readonly options: Readonly<Record<string, string | boolean | undefined>>
}

export interface Command {
  readonly name: readonly string[]
  readonly summary: string
  /** Words behind the name, in their order; in brackets where they may be left out. */
  readonly takes?: readonly string[]
  readonly options?: Readonly<Record<string, { readonly value: string; readonly says: string }>>
  readonly run: (attached: Attached, typed: Typed) => Promise<Told>
}

/** A number from 1 to `most`; throws {@link UsageError}. */
export function readCount(given: Typed['options'][string], name: string, byDefault: number, most = 1000): number {
  if (given === undefined) return byDefault
  const count = Number(given)
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw new UsageError(`--${name} takes a number from 1 to ${most}.`)
  return count
}

/** One of `values`; throws {@link UsageError}. */
export function readOneOf<Value extends string>(
  given: Typed['options'][string],
  name: string,
  values: readonly Value[],
): Value | undefined {
  if (given === undefined) return undefined
  const found = values.find((value) => value === given)
  if (found === undefined) throw new UsageError(`--${name} takes one of ${values.join(', ')}.`)
  return found
}

/** What `parseArgs` is told of a command. */
export const optionsOf = (command: Command): ParseArgsOptionsConfig => ({
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...Object.fromEntries(Object.keys(command.options ?? {}).map((name) => [name, { type: 'string' as const }])),
})

const lineOf = (command: Command) => [...command.name, ...(command.takes ?? [])].join(' ')

/** `--help` of one command. */
export function helpOf(command: Command): string {
  const options = Object.entries(command.options ?? {})
  const rows = [
    ...options.map(([name, { value, says }]) => [`--${name} ${value}`, says] as const),
    ['--json', 'for programs: one JSON document (npm run -s pantry -- …)'] as const,
  ]
  return [
    `npm run pantry -- ${lineOf(command)}${options.map(([name, { value }]) => ` [--${name} ${value}]`).join('')}`,
    `  ${command.summary}`,
    '',
    ...columns(rows),
  ].join('\n')
}

/** `--help` of all of them. */
export function helpOfAll(commands: readonly Command[]): string {
  return [
    'npm run pantry -- COMMAND [--json]',
    '',
    ...columns(commands.map((command) => [lineOf(command), command.summary] as const)),
    '',
    'It attaches to the Pantry that runs on DATA_DIR (default ./.data), or to the database of DATABASE_URL.',
    'COMMAND --help tells more. Exit code 0: done; 1: it could not be; 2: that is no command.',
  ].join('\n')
}

function columns(rows: ReadonlyArray<readonly [string, string]>): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}
