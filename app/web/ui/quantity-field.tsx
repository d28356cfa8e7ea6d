import { NumberField } from '@base-ui/react/number-field'
import { useState } from 'react'
import { MinusIcon, PlusIcon } from './icons.tsx'

export interface QuantityFieldProps {
  readonly label: string
  readonly fewer: string
  readonly more: string
  readonly value: number
  readonly onCommit: (value: number) => void
}

const step = 'inline-flex h-9 w-9 items-center justify-center hover:bg-sunken disabled:opacity-40'

/** A whole number from 1; tells a value once it is settled (a press, Enter, leaving the field), not on each digit. */
export function QuantityField({ label, fewer, more, value, onCommit }: QuantityFieldProps) {
  const [typed, setTyped] = useState<number | null>()
  const commit = (next: number | null | undefined) => {
    setTyped(undefined)
    if (next !== null && next !== undefined && next !== value) onCommit(next)
  }
  return (
    <NumberField.Root
      value={typed === undefined ? value : typed}
      min={1}
      onValueChange={(next) => setTyped(next)}
      onValueCommitted={commit}
    >
      <NumberField.Group className="inline-flex items-center overflow-hidden rounded-control border border-line-strong bg-surface">
        <NumberField.Decrement aria-label={fewer} className={step}>
          <MinusIcon />
        </NumberField.Decrement>
        <NumberField.Input
          aria-label={label}
          className="h-9 w-9 bg-transparent text-center text-base tabular-nums"
          onKeyDown={({ key }) => {
            if (key === 'Enter') commit(typed)
          }}
        />
        <NumberField.Increment aria-label={more} className={step}>
          <PlusIcon />
        </NumberField.Increment>
      </NumberField.Group>
    </NumberField.Root>
  )
}
