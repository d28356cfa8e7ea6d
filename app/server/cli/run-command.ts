import { parseArgs } from 'node:util'
import { isAway, isSafepointError, sqlState } from 'safepoint'
import { ConfigError } from '../config.ts'
import { attach } from './attach.ts'
import { auditCommands } from './audit-commands.ts'
import { cartCommands } from './cart-commands.ts'
import { helpOf, helpOfAll, optionsOf, type Command, type Typed } from './command.ts'
import { Refused, UsageError } from './refused.ts'
import { paymentCommands } from './payment-commands.ts'
import { printTold } from './print.ts'
import { stockCommands } from './stock-commands.ts'

/** In the order of `--help`. */
const commands: readonly Command[] = [...cartCommands, ...stockCommands, ...paymentCommands, ...auditCommands]

/** What it was typed into. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** Runs what was typed; answers the exit code. */
export async function runCommand(typed: readonly string[], { env, out, err }: Terminal): Promise<number> {
  const say = (text: string) => {
    out(text)
    return 0
  }
  try {
    const command = commands.find(({ name }) => name.every((word, n) => typed[n] === word))
    if (!command) {
      const help = helpAsked(typed)
      if (help !== undefined) return say(help)
      throw noCommand(typed)
    }
    const { help, json, ...words } = read(command, typed.slice(command.name.length))
    if (help) return say(helpOf(command))
    const attached = attach(env)
    try {
      const told = await command.run(attached, words)
      return say(json ? JSON.stringify(told.json, null, 2) : printTold(told))
    } finally {
      await attached.close()
    }
  } catch (error) {
    err(messageOf(error))
    return error instanceof UsageError ? 2 : 1
  }
}

const groupOf = (typed: readonly string[]) => {
  const group = commands.filter(({ name }) => name[0] === typed[0])
  return group.length > 0 ? group : commands
}

/** No command was named: help, where that was asked for. */
function helpAsked(typed: readonly string[]): string | undefined {
  return typed.some((word) => /^(--help|-h|help)$/.test(word)) ? helpOfAll(groupOf(typed)) : undefined
}

function noCommand(typed: readonly string[]): UsageError {
  const words = typed.filter((word) => !word.startsWith('-')).join(' ')
  return new UsageError(`${words === '' ? '' : `"${words}" is no command.\n\n`}${helpOfAll(groupOf(typed))}`)
}

function read(command: Command, typed: string[]): Typed & { readonly help: boolean; readonly json: boolean } {
  const takes = command.takes ?? []
  let parsed: { values: Record<string, unknown>; positionals: string[] }
  try {
    parsed = parseArgs({ args: typed, options: optionsOf(command), allowPositionals: true })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${helpOf(command)}`, { cause: error })
  }
  const { values, positionals } = parsed
  const { help = false, json = false, ...options } = values as Record<string, boolean | string | undefined>
  const missing = takes.find((name, n) => !name.startsWith('[') && positionals[n] === undefined)
  if (!help && missing !== undefined) throw new UsageError(`${missing} is missing.\n\n${helpOf(command)}`)
  if (!help && positionals.length > takes.length)
    throw new UsageError(`"${positionals[takes.length]}" is too much.\n\n${helpOf(command)}`)
  const words = Object.fromEntries(takes.map((name, n) => [name, positionals[n]]))
  return { help: help === true, json: json === true, words, options }
}

function messageOf(error: unknown): string {
  if (error instanceof UsageError || error instanceof Refused || error instanceof ConfigError) return error.message
  if (isSafepointError(error)) return error.message
  if (isAway(error)) return `The database cannot be reached: ${(error as Error).message}`
  // No such table or schema, or no such database.
  if (['42P01', '3F000', '3D000'].includes(sqlState(error) ?? ''))
    return 'There is no Pantry in this database yet: start it once, which makes its tables.'
  if (['28P01', '28000'].includes(sqlState(error) ?? ''))
    return `The database does not let us in: ${(error as Error).message}`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
