import { useEffect, useRef } from 'react'
import type { PaymentPage } from '../api/checkout.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { SpokenHeading } from '../ui/spoken-heading.tsx'

export interface LeaveForPageProps {
  readonly page: PaymentPage
  /** The browser has come back to this page as it was left. */
  readonly onBack: () => void
}

/** On the way to a gateway's page; its button does the same for whoever the browser does not take there. */
export function LeaveForPage({ page, onBack }: LeaveForPageProps) {
  const form = useRef<HTMLFormElement>(null)
  useEffect(() => form.current?.requestSubmit(), [])
  useEffect(() => {
    const shown = ({ persisted }: PageTransitionEvent) => persisted && onBack()
    addEventListener('pageshow', shown)
    return () => removeEventListener('pageshow', shown)
  }, [onBack])
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
      <div role="status">
        <SpokenHeading>{messages.page.leaving}</SpokenHeading>
        <p className="mt-2 text-muted">{messages.page.leavingHint}</p>
      </div>
      <PageForm page={page} label={messages.page.leavingLink} ref={form} />
    </div>
  )
}

export interface PageFormProps {
  readonly page: PaymentPage
  readonly label: string
  readonly ref?: React.Ref<HTMLFormElement>
}

/** Opens a gateway's page: by posting its fields where it has some, else by going there. */
export function PageForm({ page, label, ref }: PageFormProps) {
  const { url, fields } = page
  return (
    <form
      ref={ref}
      method={fields ? 'post' : 'get'}
      action={url ?? undefined}
      onSubmit={(event) => {
        if (fields || url === null) return
        // A form that is sent by GET would replace the query of the address.
        event.preventDefault()
        location.assign(url)
      }}
    >
      {Object.entries(fields ?? {}).map(([name, value]) => (
        <input key={name} type="hidden" name={name} value={value} />
      ))}
      <Button type="submit" variant="primary" size="large" className="w-full">
        {label}
      </Button>
    </form>
  )
}
