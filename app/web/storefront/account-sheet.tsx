import type { ReactNode } from 'react'
import { useSession } from '../api/accounts.ts'
import { useExport } from '../api/own-account.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { Sheet } from '../ui/sheet.tsx'
import { AddressBook } from './address-book.tsx'
import { ChangePassword } from './change-password.tsx'
import { CloseAccount } from './close-account.tsx'
import { explain } from './explain.ts'

export interface AccountSheetProps {
  readonly open: boolean
  readonly onClose: () => void
  readonly onClosed: () => void
}

/** What a person can do with the account itself. */
export function AccountSheet({ open, onClose, onClosed }: AccountSheetProps) {
  const session = useSession()
  const text = messages.ownAccount
  return (
    <Sheet
      open={open && session.status === 'signed-in'}
      onClose={onClose}
      title={messages.account.title}
      closeLabel={messages.close}
    >
      {session.status === 'signed-in' && (
        <div className="grid grid-cols-[minmax(0,1fr)] gap-8">
          <p>
            <bdi className="block text-lg font-medium">{session.user.name}</bdi>
            <bdi className="block text-muted">{session.user.email}</bdi>
          </p>
          <Part title={messages.address.bookTitle}>
            <AddressBook />
          </Part>
          <Part title={messages.password.changeTitle}>
            <ChangePassword />
          </Part>
          <Part title={text.exportTitle} hint={text.exportHint}>
            <ExportData />
          </Part>
          <Part title={text.closeTitle} hint={text.closeHint}>
            <CloseAccount onClosed={onClosed} />
          </Part>
        </div>
      )}
    </Sheet>
  )
}

function Part({
  title,
  hint,
  children,
}: {
  readonly title: string
  readonly hint?: string
  readonly children: ReactNode
}) {
  return (
    <section>
      <h3 className="mb-2 text-lg">{title}</h3>
      {hint !== undefined && <p className="mb-3 text-sm text-muted">{hint}</p>}
      {children}
    </section>
  )
}

function ExportData() {
  const data = useExport()
  const text = messages.ownAccount
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      {data.error && <Notice tone="bad">{explain(data.error)}</Notice>}
      {data.isSuccess && <Notice tone="good">{text.exported}</Notice>}
      <Button
        className="justify-self-start"
        disabled={data.isPending}
        onClick={() => data.mutate(undefined, { onSuccess: save })}
      >
        {data.isPending ? messages.account.working : text.export}
      </Button>
    </div>
  )
}

function save(file: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(file)
  link.download = messages.ownAccount.file(new Date().toISOString().slice(0, 10))
  link.click()
  // The browser has taken it over by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
