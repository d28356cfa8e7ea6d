import type { ReactNode } from 'react'

export interface SlipRow {
  /** Default: the label, where no two rows have the same. */
  readonly id?: string
  readonly label: string
  readonly value: ReactNode
  readonly strong?: boolean
}

/** Facts as a till prints them: a label, dots, a value. */
export function TillSlip({ label, rows }: { readonly label: string; readonly rows: readonly SlipRow[] }) {
  return (
    <dl aria-label={label} className="slip px-5 text-[0.9375rem] tabular-nums">
      {rows.map((row) => (
        <div
          key={row.id ?? row.label}
          className={`flex items-baseline py-1 ${row.strong ? 'text-lg font-semibold' : ''}`}
        >
          <dt className="min-w-0 wrap-anywhere">
            <bdi>{row.label}</bdi>
          </dt>
          <span className="leader" aria-hidden="true" />
          <dd className="text-end">{row.value}</dd>
        </div>
      ))}
    </dl>
  )
}
