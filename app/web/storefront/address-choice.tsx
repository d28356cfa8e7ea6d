import { useState } from 'react'
import { useAddAddress, useAddresses, type Address, type NewAddress } from '../api/addresses.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { ChoiceList } from '../ui/choice-list.tsx'
import { Notice } from '../ui/notice.tsx'
import { TextField } from '../ui/text-field.tsx'
import { explain, fieldErrors } from './explain.ts'

export interface AddressChoiceProps {
  readonly value: string | undefined
  readonly onChange: (id: string) => void
}

export function AddressChoice({ value, onChange }: AddressChoiceProps) {
  const addresses = useAddresses()
  const [adding, setAdding] = useState(false)
  const text = messages.address
  if (addresses.data === undefined)
    return addresses.error ? <Notice tone="bad">{explain(addresses.error)}</Notice> : null
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
          label: address.name,
          detail: [address.line1, address.line2, address.city, address.postalCode, address.country]
            .filter(Boolean)
            .join(', '),
        }))}
      />
      <Button variant="quiet" className="mt-2 text-sm" onClick={() => setAdding(true)}>
        {text.add}
      </Button>
    </div>
  )
}

const blank = { name: '', line1: '', line2: '', city: '', region: '', postalCode: '', country: 'IN', phone: '' }

function AddressForm({
  onSaved,
  onBack,
}: {
  readonly onSaved: (address: Address) => void
  readonly onBack?: () => void
}) {
  const [values, setValues] = useState(blank)
  const addAddress = useAddAddress()
  const errors = fieldErrors(addAddress.error)
  const text = messages.address
  const field = (name: keyof typeof blank) => ({
    label: text[name],
    name,
    value: values[name],
    error: errors.get(name),
    onChange: (event: { readonly target: { readonly value: string } }) =>
      setValues({ ...values, [name]: event.target.value }),
  })
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (!addAddress.isPending) addAddress.mutate(withoutBlanks(values), { onSuccess: onSaved })
      }}
    >
      <h3 className="mb-2 text-lg">{text.add}</h3>
      <div className="grid grid-cols-2 gap-3">
        <TextField {...field('name')} autoComplete="name" required className="col-span-2" />
        <TextField {...field('line1')} autoComplete="address-line1" required className="col-span-2" />
        <TextField {...field('line2')} autoComplete="address-line2" className="col-span-2" />
        <TextField {...field('city')} autoComplete="address-level2" required />
        <TextField {...field('postalCode')} autoComplete="postal-code" required />
        <TextField {...field('region')} autoComplete="address-level1" />
        <TextField
          {...field('country')}
          autoComplete="country"
          required
          hint={text.countryHint}
          minLength={2}
          maxLength={2}
          pattern="[A-Za-z]{2}"
        />
        <TextField {...field('phone')} type="tel" autoComplete="tel" className="col-span-2" />
      </div>
      {addAddress.error && errors.size === 0 && (
        <div className="mt-3">
          <Notice tone="bad">{explain(addAddress.error)}</Notice>
        </div>
      )}
      <div className="mt-4 flex gap-3">
        <Button type="submit" variant="primary" disabled={addAddress.isPending}>
          {text.save}
        </Button>
        {onBack && <Button onClick={onBack}>{text.cancel}</Button>}
      </div>
    </form>
  )
}

/** An optional field left empty is a field not sent. */
function withoutBlanks(values: typeof blank): NewAddress {
  const filled = Object.entries(values).flatMap(([name, value]) => (value.trim() === '' ? [] : [[name, value.trim()]]))
  return { ...(Object.fromEntries(filled) as unknown as NewAddress), country: values.country.trim().toUpperCase() }
}
