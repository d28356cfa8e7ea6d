import { useState } from 'react'
import { useChangePassword } from '../api/own-account.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { TextField } from '../ui/text-field.tsx'
import { explain, fieldErrors } from './explain.ts'

const blank = { currentPassword: '', newPassword: '' }

export function ChangePassword() {
  const [values, setValues] = useState(blank)
  const change = useChangePassword()
  const errors = fieldErrors(change.error)
  const text = messages.password
  const field = (name: keyof typeof blank) => ({
    type: 'password',
    required: true,
    value: values[name],
    error: errors.get(name),
    onChange: (event: { readonly target: { readonly value: string } }) =>
      setValues({ ...values, [name]: event.target.value }),
  })
  return (
    <form
      className="grid grid-cols-[minmax(0,1fr)] gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        if (!change.isPending) change.mutate(values, { onSuccess: () => setValues(blank) })
      }}
    >
      <TextField label={text.current} autoComplete="current-password" {...field('currentPassword')} />
      <TextField
        label={text.next}
        autoComplete="new-password"
        hint={messages.account.passwordHint}
        {...field('newPassword')}
      />
      {change.error && errors.size === 0 && <Notice tone="bad">{explain(change.error)}</Notice>}
      {change.isSuccess && <Notice tone="good">{text.changed}</Notice>}
      <Button type="submit" className="justify-self-start" disabled={change.isPending}>
        {change.isPending ? messages.account.working : text.change}
      </Button>
    </form>
  )
}
