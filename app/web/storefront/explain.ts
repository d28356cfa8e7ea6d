import { isKept, problemOf } from '../api/problem.ts'
import { messages } from '../messages.ts'

/** An error in words for a customer: our own sentence for a code we know, else the server's, which speaks their language. */
export function explain(error: unknown): string {
  if (isKept(error)) return messages.problem.kept
  const problem = problemOf(error)
  if (problem === undefined) return messages.problem.offline
  return explainProblem(problem)
}

type Problem = NonNullable<ReturnType<typeof problemOf>>

export function explainProblem(problem: Problem): string {
  const short = problem.code === 'out_of_stock' ? listShort(problem['items']) : []
  if (short.length > 0) return messages.problem.short(short.join('; '))
  return messages.problem.codes[problem.code] ?? problem.errors?.[0]?.message ?? problem.detail ?? problem.title
}

/** What is wrong with single fields of a form, by the field's name. */
export function fieldErrors(error: unknown): ReadonlyMap<string, string> {
  const errors = problemOf(error)?.errors ?? []
  return new Map(errors.map(({ path, message }) => [path.replace(/^(\/|body\.|\.)+/, ''), message]))
}

/** What an order asked for more of than there is, each in words. */
function listShort(items: unknown): readonly string[] {
  if (!Array.isArray(items)) return []
  return (items as ReadonlyArray<{ readonly name?: unknown; readonly available?: unknown }>).flatMap((item) =>
    typeof item?.name === 'string' && typeof item.available === 'number'
      ? [messages.problem.shortLine(item.name, item.available)]
      : [],
  )
}
