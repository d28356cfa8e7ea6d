import { useEffect, useState } from 'react'
import { useResetPassword } from '../api/own-account.ts'
import { problemOf } from '../api/problem.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { Sheet } from '../ui/sheet.tsx'
import { TextField } from '../ui/text-field.tsx'
import { explain, fieldErrors } from './explain.ts'
import { ForgotPassword } from './forgot-password.tsx'

/** `/#reset=<token>`: the link of a mail leads there. */
const readToken = (): string | undefined => /^#reset=(.+)$/.exec(location.hash)?.[1]

/** Opens where a mail's link leads, and says what became of it. */
export function ResetSheet({ onSignIn }: { readonly onSignIn: () => void }) {
  const [token, setToken] = useState(readToken)
  useEffect(() => {
    const follow = () => setToken((open) => readToken() ?? open)
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  const close = () => {
    setToken(undefined)
    forget()
  }
  return (
    <Sheet
      open={token !== undefined}
      onClose={close}
      place="centre"
      title={messages.password.resetTitle}
      closeLabel={messages.close}
    >
      {token !== undefined && (
        <ResetForm
          key={token}
          token={token}
          onSignIn={() => {
            close()
            onSignIn()
          }}
        />
      )}
    </Sheet>
  )
}

/** Until it is used, a reload finds the link again; after that it stays in no history. */
const forget = () => history.replaceState(null, '', location.pathname + location.search)

function ResetForm({ token, onSignIn }: { readonly token: string; readonly onSignIn: () => void }) {
  const [password, setPassword] = useState('')
  const reset = useResetPassword()
  const errors = fieldErrors(reset.error)
  const text = messages.password
  if (reset.isSuccess) {
    return (
      <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
        <Notice tone="good">{text.done}</Notice>
        <Button variant="primary" size="large" onClick={onSignIn}>
          {text.signIn}
        </Button>
      </div>
    )
  }
  const gone = problemOf(reset.error)?.code === 'reset_invalid' || errors.has('token')
  if (gone) {
    return (
      <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
        <Notice tone="bad">
          <p className="font-medium">{text.gone}</p>
          <p className="mt-1">{text.goneHint}</p>
        </Notice>
        <ForgotPassword />
      </div>
    )
  }
  return (
    <form
      className="grid grid-cols-[minmax(0,1fr)] gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (!reset.isPending) reset.mutate({ token, password }, { onSuccess: forget })
      }}
    >
      <p className="text-sm text-muted">{text.resetHint}</p>
      <TextField
        label={text.next}
        type="password"
        autoComplete="new-password"
        required
        hint={messages.account.passwordHint}
        error={errors.get('password')}
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
      {reset.error && errors.size === 0 && <Notice tone="bad">{explain(reset.error)}</Notice>}
      <Button type="submit" variant="primary" size="large" disabled={reset.isPending}>
        {reset.isPending ? messages.account.working : text.set}
      </Button>
    </form>
  )
}
