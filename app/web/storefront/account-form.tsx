import { useState } from 'react'
import { useDemoAccounts, useRegister, useSignIn } from '../api/accounts.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { TextField } from '../ui/text-field.tsx'
import { explain, fieldErrors } from './explain.ts'
import { ForgotPassword } from './forgot-password.tsx'

const blank = { name: '', email: '', password: '' }

/** Signs in or registers; a demo account's button fills the fields and leaves the pressing to the person. */
export function AccountForm({ onDone }: { readonly onDone: () => void }) {
  const [mode, setMode] = useState<'sign-in' | 'register' | 'forgot'>('sign-in')
  const [values, setValues] = useState(blank)
  const signIn = useSignIn()
  const register = useRegister()
  const demoAccounts = useDemoAccounts()
  const active = mode === 'sign-in' ? signIn : register
  const errors = fieldErrors(active.error)
  const text = messages.account
  const change = (field: keyof typeof blank) => ({
    value: values[field],
    onChange: (event: { readonly target: { readonly value: string } }) =>
      setValues({ ...values, [field]: event.target.value }),
  })
  const submit = () => {
    const { name, email, password } = values
    if (mode === 'sign-in') signIn.mutate({ email, password }, { onSuccess: onDone })
    else register.mutate({ name, email, password }, { onSuccess: onDone })
  }
  if (mode === 'forgot') {
    return (
      <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
        <ForgotPassword email={values.email} />
        <Button variant="quiet" onClick={() => setMode('sign-in')}>
          {messages.password.back}
        </Button>
      </div>
    )
  }
  return (
    <form
      className="grid grid-cols-[minmax(0,1fr)] gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (!active.isPending) submit()
      }}
    >
      {mode === 'register' && (
        <TextField label={text.name} autoComplete="name" required error={errors.get('name')} {...change('name')} />
      )}
      <TextField
        label={text.email}
        type="email"
        autoComplete="username"
        required
        error={errors.get('email')}
        {...change('email')}
      />
      <TextField
        label={text.password}
        type="password"
        autoComplete={mode === 'sign-in' ? 'current-password' : 'new-password'}
        required
        hint={mode === 'register' ? text.passwordHint : undefined}
        error={errors.get('password')}
        {...change('password')}
      />
      {active.error && errors.size === 0 && <Notice tone="bad">{explain(active.error)}</Notice>}
      <Button type="submit" variant="primary" size="large" disabled={active.isPending}>
        {active.isPending ? text.working : mode === 'sign-in' ? text.signIn : text.register}
      </Button>
      <Button variant="quiet" onClick={() => setMode(mode === 'sign-in' ? 'register' : 'sign-in')}>
        {mode === 'sign-in' ? text.toRegister : text.toSignIn}
      </Button>
      {mode === 'sign-in' && (
        <Button variant="quiet" onClick={() => setMode('forgot')}>
          {text.forgot}
        </Button>
      )}
      {mode === 'sign-in' && demoAccounts.length > 0 && (
        <section aria-labelledby="demo-accounts" className="rounded-control bg-sunken px-4 py-4">
          <h3 id="demo-accounts" className="text-lg">
            {text.demo}
          </h3>
          <p className="mb-3 text-sm text-muted">{text.demoHint}</p>
          <div className="flex flex-wrap gap-2">
            {demoAccounts.map((account) => (
              <Button
                key={account.email}
                onClick={() => setValues({ ...blank, email: account.email, password: account.password })}
              >
                {text.demoRoles[account.role]}
              </Button>
            ))}
          </div>
        </section>
      )}
    </form>
  )
}
