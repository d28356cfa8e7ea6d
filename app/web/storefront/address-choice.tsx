import { useState } from 'react'
import { useAddresses } from '../api/addresses.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { ChoiceList } from '../ui/choice-list.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { AddressForm } from './address-form.tsx'
import { addressLine } from './address-line.ts'
import { ReadFailed } from './read-failed.tsx'

export interface AddressChoiceProps {
  readonly value: string | undefined
  readonly onChange: (id: string) => void
}

export function AddressChoice({ value, onChange }: AddressChoiceProps) {
  const addresses = useAddresses()
  const [adding, setAdding] = useState(false)
  const text = messages.address
  if (addresses.data === undefined)
    return addresses.error ? <ReadFailed of={addresses} /> : <Skeleton label={text.loading} />
  if (adding || addresses.data.length === 0) {
    return (
      <AddressForm
        onSaved={(address) => {
          setAdding(false)
          onChange(address.id)
        }}
        {...(addresses.data.length > 0 ? { onBack: () => setAdding(false) } : {})}
      />
    )
  }
  return (
    <div>
      <ChoiceList
        label={text.title}
        value={value}
        onChange={onChange}
        choices={addresses.data.map((address) => ({
          value: address.id,
          label: <bdi>{address.name}</bdi>,
          detail: <bdi>{addressLine(address)}</bdi>,
        }))}
      />
      <Button variant="quiet" className="mt-2 text-sm" onClick={() => setAdding(true)}>
        {text.add}
      </Button>
    </div>
  )
}
