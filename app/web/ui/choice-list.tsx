import { Radio } from '@base-ui/react/radio'
import { RadioGroup } from '@base-ui/react/radio-group'
import { useId, type ReactNode } from 'react'

export interface Choice {
  readonly value: string
  readonly label: ReactNode
  readonly detail?: ReactNode
}

export interface ChoiceListProps {
  readonly label: string
  readonly choices: readonly Choice[]
  readonly value: string | undefined
  readonly onChange: (value: string) => void
  readonly disabled?: boolean
}

/** One of several, each with room for an explanation: addresses, cards. */
export function ChoiceList({ label, choices, value, onChange, disabled = false }: ChoiceListProps) {
  const id = useId()
  return (
    <div>
      <h3 id={id} className="mb-2 text-lg">
        {label}
      </h3>
      <RadioGroup
        aria-labelledby={id}
        value={value ?? ''}
        onValueChange={(next) => onChange(String(next))}
        disabled={disabled}
        className="grid grid-cols-[minmax(0,1fr)] gap-2"
      >
        {choices.map((choice) => (
          <label
            key={choice.value}
            className="flex cursor-pointer items-start gap-3 rounded-control border border-line bg-surface px-4 py-3 hover:border-line-strong has-data-checked:border-brand has-data-checked:bg-brand-soft"
          >
            <Radio.Root
              value={choice.value}
              className="mt-0.5 flex size-5 shrink-0 items-center justify-center rounded-full border-2 border-line-strong bg-surface data-checked:border-brand"
            >
              <Radio.Indicator className="size-2.5 rounded-full bg-brand data-unchecked:hidden" />
            </Radio.Root>
            <span className="min-w-0 wrap-anywhere">
              <span className="block font-medium">{choice.label}</span>
              {choice.detail !== undefined && <span className="block text-sm text-muted">{choice.detail}</span>}
            </span>
          </label>
        ))}
      </RadioGroup>
    </div>
  )
}
