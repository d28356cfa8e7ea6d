import { NotHere, type Result } from './check.ts'

export interface Totals {
  readonly total: number
  readonly passed: number
  readonly failed: number
  readonly leftOut: number
}

/** What was left out is in no total: it has neither passed nor failed. */
export function countResults(results: readonly Result[]): Totals {
  const of = (outcome: Result['outcome']) => results.filter((result) => result.outcome === outcome).length
  const [passed, failed] = [of('ok'), of('FAILED')]
  return { total: passed + failed, passed, failed, leftOut: of('left out') }
}

const rateOf = ({ total, passed }: Totals): string =>
  total === 0 ? 'none' : `${((100 * passed) / total).toFixed(passed === total ? 1 : 2)}%`

/** One check, as it is told while it goes on. */
export function tellResult({ outcome, took, sentence, error }: Result): string {
  const line = `    ${outcome.padEnd(8)} ${took.toFixed(0).padStart(6)} ms  ${sentence}`
  if (outcome === 'ok') return line
  const why = error instanceof NotHere ? error.message : String((error as Error)?.stack ?? error)
  return `${line}\n${why.replaceAll(/^/gm, '                        ')}`
}

/** Group by group, and in all. */
export function tellTotals(results: readonly Result[]): string {
  const names = [...new Set(results.map(({ group }) => group))]
  const columns = ['Total Tests', 'Passed', 'Failed', 'Success Rate']
  const row = (name: string, cells: readonly (string | number)[]) =>
    `${name.padEnd(24)}${cells.map((cell, n) => String(cell).padStart(columns[n]!.length + 2)).join('')}`
  const cells = (totals: Totals) => [totals.total, totals.passed, totals.failed, rateOf(totals)]
  const all = countResults(results)
  return [
    row('', columns),
    ...names.map((name) => row(name, cells(countResults(results.filter(({ group }) => group === name))))),
    '',
    `Total Tests: ${all.total}`,
    `Passed: ${all.passed}`,
    `Failed: ${all.failed}`,
    ...(all.leftOut > 0 ? [`Left out: ${all.leftOut}`] : []),
    `Success Rate: ${rateOf(all)}`,
  ].join('\n')
}
