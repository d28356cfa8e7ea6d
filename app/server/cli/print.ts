import type { Money } from '../catalog/money.ts'

export type Cell = string | number | boolean | Date | Money | null | undefined

/** What a command tells: the whole for programs, and how it looks for people. */
export interface Told {
  readonly json: unknown
  /** Lines above the table. */
  readonly lines?: readonly string[]
  readonly table?: { readonly head: readonly string[]; readonly rows: ReadonlyArray<readonly Cell[]> }
  /** Said where the table has no rows. */
  readonly empty?: string
}

/** For people: aligned columns, numbers to the right. */
export function printTold({ lines = [], table, empty }: Told): string {
  const printed = [...lines]
  if (table && table.rows.length > 0) {
    if (lines.length > 0) printed.push('')
    printed.push(...tableOf(table))
  } else if (empty !== undefined) printed.push(empty)
  return printed.join('\n')
}

function tableOf({ head, rows }: NonNullable<Told['table']>): string[] {
  const cells = rows.map((row) => row.map(textOf))
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]!.length)))
  const right = head.map((_, column) => rows.every((row) => isFigure(row[column])))
  const line = (texts: readonly string[]) =>
    texts
      .map((text, column) => (right[column] ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd()
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)]
}

const isFigure = (cell: Cell) =>
  typeof cell === 'number' || (typeof cell === 'object' && cell !== null && 'amount' in cell)

/** Control characters of what others have written do not reach the terminal. */
export function textOf(cell: Cell): string {
  if (cell === null || cell === undefined) return '-'
  if (cell instanceof Date) return cell.toISOString().replace(/\.\d+Z$/, 'Z')
  if (typeof cell === 'object') return formatMoney(cell)
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no'
  return String(cell).replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
}

/** Digits as ISO 4217 has them for the currency: 1250 INR is "12.50 INR". No float is made of it. */
export function formatMoney({ amount, currency }: Money): string {
  const { maximumFractionDigits: digits = 2 } = new Intl.NumberFormat('en', {
    style: 'currency',
    currency,
  }).resolvedOptions()
  const text = String(Math.abs(amount)).padStart(digits + 1, '0')
  const whole = text.slice(0, text.length - digits)
  return `${amount < 0 ? '-' : ''}${whole}${digits > 0 ? `.${text.slice(-digits)}` : ''} ${currency}`
}
