import { useId, type ComponentProps } from 'react'

export interface TextFieldProps extends Omit<ComponentProps<'input'>, 'id' | 'className'> {
  readonly label: string
  readonly hint?: string | undefined
  readonly error?: string | undefined
  readonly className?: string
}

/** A labelled input; hint and error are tied to it, so that a screen reader reads them with the field. */
export function TextField({ label, hint, error, className = '', ...input }: TextFieldProps) {
  const id = useId()
  const noteId = `${id}-note`
  const note = error ?? hint
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-1 block text-sm font-medium">
        {label}
      </label>
      <input
        id={id}
        aria-invalid={error !== undefined}
        aria-describedby={note === undefined ? undefined : noteId}
        className="min-h-11 w-full rounded-control border border-line-strong bg-surface px-3 text-base aria-invalid:border-bad"
        {...input}
      />
      {note !== undefined && (
        <p
          id={noteId}
          className={`mt-1 text-sm ${error === undefined ? 'text-muted' : 'text-bad first-letter:uppercase'}`}
        >
          {note}
        </p>
      )}
    </div>
  )
}
