import { useState } from 'react'
import { useForgotPassword } from '../api/own-account.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { TextField } from '../ui/text-field.tsx'
import { explain } from './explain.ts'

/** Has a link to a new password sent. Whether there is such an account is told to its mailbox alone. */
export function ForgotPassword({ email: known = '' }: { readonly email?: string }) {
  const [email, setEmail] = useState(known)
  const forgot = useForgotPassword()
  const text = messages.password
  if (forgot.isSuccess) return <Notice tone="good">{text.sent(email)}</Notice>
  return (
    <form
      aria-label={text.forgotTitle}
      className="grid grid-cols-[minmax(0,1fr)] gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (!forgot.isPending) forgot.mutate(email)
      }}
    >
      <p className="text-sm text-muted">{text.forgotHint}</p>
      <TextField
        label={messages.account.email}
        type="email"
        autoComplete="username"
        required
        value={email}
        onChange={(event) => setEmail(event.target.value)}
      />
      {forgot.error && <Notice tone="bad">{explain(forgot.error)}</Notice>}
      <Button type="submit" variant="primary" size="large" disabled={forgot.isPending}>
        {forgot.isPending ? messages.account.working : text.send}
      </Button>
    </form>
  )
}
