import { useId, type ComponentProps } from 'react'

export interface SelectFieldProps extends Omit<ComponentProps<'select'>, 'id' | 'className'> {
  readonly label: string
  readonly choices: ReadonlyArray<{ readonly value: string; readonly label: string }>
  readonly error?: string | undefined
  readonly className?: string
}

/** A labelled native list: a phone shows its own wheel for it, and typing finds an entry. */
export function SelectField({ label, choices, error, className = '', ...select }: SelectFieldProps) {
  const id = useId()
  const noteId = `${id}-note`
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-1 block text-sm font-medium">
        {label}
      </label>
      <select
        id={id}
        aria-invalid={error !== undefined}
        aria-describedby={error === undefined ? undefined : noteId}
        className="min-h-11 w-full rounded-control border border-line-strong bg-surface px-2 text-base aria-invalid:border-bad"
        {...select}
      >
        {choices.map(({ value, label: shown }) => (
          <option key={value} value={value}>
            {shown}
          </option>
        ))}
      </select>
      {error !== undefined && (
        <p id={noteId} className="mt-1 text-sm text-bad first-letter:uppercase">
          {error}
        </p>
      )}
    </div>
  )
}
