import { useState } from 'react'
import { useAddAddress, useChangeAddress, type Address, type AddressChange, type NewAddress } from '../api/addresses.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { SelectField } from '../ui/select-field.tsx'
import { TextField } from '../ui/text-field.tsx'
import { countries, guessCountry } from './countries.ts'
import { explain, fieldErrors } from './explain.ts'

const blank = {
  name: '',
  line1: '',
  line2: '',
  city: '',
  region: '',
  postalCode: '',
  country: guessCountry(),
  phone: '',
}

export interface AddressFormProps {
  /** The one that is changed; absent: a new one. */
  readonly address?: Address
  readonly onSaved: (address: Address) => void
  readonly onBack?: () => void
}

export function AddressForm({ address, onSaved, onBack }: AddressFormProps) {
  const [values, setValues] = useState(() => ({ ...blank, ...(address && fieldsOf(address)) }))
  const add = useAddAddress()
  const change = useChangeAddress()
  const saving = address ? change : add
  const errors = fieldErrors(saving.error)
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
        if (saving.isPending) return
        if (address) change.mutate({ id: address.id, change: changeTo(values) }, { onSuccess: onSaved })
        else add.mutate(withoutBlanks(values), { onSuccess: onSaved })
      }}
    >
      <h3 className="mb-2 text-lg">{address ? text.changeTitle : text.add}</h3>
      <div className="grid grid-cols-[repeat(2,minmax(0,1fr))] gap-3">
        <TextField {...field('name')} autoComplete="name" required className="col-span-2" />
        <TextField {...field('line1')} autoComplete="address-line1" required className="col-span-2" />
        <TextField {...field('line2')} autoComplete="address-line2" className="col-span-2" />
        <TextField {...field('city')} autoComplete="address-level2" required />
        <TextField {...field('postalCode')} autoComplete="postal-code" required />
        <TextField {...field('region')} autoComplete="address-level1" />
        <SelectField {...field('country')} autoComplete="country" choices={countries} />
        <TextField {...field('phone')} type="tel" autoComplete="tel" className="col-span-2" />
      </div>
      {saving.error && errors.size === 0 && (
        <div className="mt-3">
          <Notice tone="bad">{explain(saving.error)}</Notice>
        </div>
      )}
      <div className="mt-4 flex gap-3">
        <Button type="submit" variant="primary" disabled={saving.isPending}>
          {saving.isPending ? messages.account.working : text.save}
        </Button>
        {onBack && <Button onClick={onBack}>{text.cancel}</Button>}
      </div>
    </form>
  )
}

/** An optional field left empty is a field not sent. */
function withoutBlanks(values: typeof blank): NewAddress {
  const filled = Object.entries(values).flatMap(([name, value]) => (value.trim() === '' ? [] : [[name, value.trim()]]))
  return { ...(Object.fromEntries(filled) as unknown as NewAddress), country: values.country }
}

const fieldsOf = (address: Address) =>
  Object.fromEntries(Object.keys(blank).map((name) => [name, address[name as keyof NewAddress] ?? '']))

/** An optional field that was emptied is taken away. */
function changeTo(values: typeof blank): AddressChange {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim() || null]))
}
