import { useState } from 'react'
import { useAddresses, useRemoveAddress, type Address } from '../api/addresses.ts'
import { isKept } from '../api/problem.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { AddressForm } from './address-form.tsx'
import { addressLine } from './address-line.ts'
import { explain } from './explain.ts'
import { RemovedNotice } from './removed-notice.tsx'
import { ReadFailed } from './read-failed.tsx'

interface Removed {
  readonly line: string
  readonly bringBack: () => Promise<void>
}

/** Every address of the account: added, changed, removed, and brought back. */
export function AddressBook() {
  const addresses = useAddresses()
  const remove = useRemoveAddress()
  const [editing, setEditing] = useState<'none' | 'new' | Address>('none')
  const [removed, setRemoved] = useState<Removed>()
  const [failed, setFailed] = useState<unknown>()
  const text = messages.address
  if (addresses.data === undefined)
    return addresses.error ? <ReadFailed of={addresses} /> : <Skeleton label={text.loading} />
  const close = () => setEditing('none')
  const edit = (next: 'new' | Address) => {
    setRemoved(undefined)
    setEditing(next)
  }
  if (editing !== 'none')
    return <AddressForm {...(editing !== 'new' && { address: editing })} onSaved={close} onBack={close} />
  const takeOut = (address: Address) => {
    setFailed(undefined)
    setRemoved(undefined)
    remove.mutate(address.id, {
      onSuccess: (bringBack) => setRemoved({ line: address.line1, bringBack }),
      onError: setFailed,
    })
  }
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      {addresses.data.length === 0 && <p className="text-sm text-muted">{text.none}</p>}
      <ul className="divide-y divide-line">
        {addresses.data.map((address) => (
          <li key={address.id} className="flex flex-wrap items-baseline justify-between gap-x-4 py-2">
            <span className="min-w-0 flex-[1_1_12rem] wrap-anywhere">
              <bdi className="block font-medium">{address.name}</bdi>
              <bdi className="block text-sm text-muted">{addressLine(address)}</bdi>
            </span>
            <span className="flex gap-4 text-sm">
              <Button variant="quiet" aria-label={text.changeNamed(address.line1)} onClick={() => edit(address)}>
                {text.change}
              </Button>
              <Button
                single
                variant="quiet"
                disabled={remove.isPending}
                aria-label={text.removeNamed(address.line1)}
                onClick={() => takeOut(address)}
              >
                {text.remove}
              </Button>
            </span>
          </li>
        ))}
      </ul>
      {removed && (
        <RemovedNotice
          words={text.removed(removed.line)}
          undo={text.bringBack}
          onUndo={() => {
            setRemoved(undefined)
            removed.bringBack().catch(setFailed)
          }}
        />
      )}
      {failed !== undefined && <Notice tone={isKept(failed) ? 'warn' : 'bad'}>{explain(failed)}</Notice>}
      <Button className="justify-self-start" onClick={() => edit('new')}>
        {text.add}
      </Button>
    </div>
  )
}
