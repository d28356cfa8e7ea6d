import { Dialog } from '@base-ui/react/dialog'
import { useRef, type ReactNode } from 'react'
import { CloseIcon } from './icons.tsx'

export interface SheetProps {
  readonly open: boolean
  readonly onClose: () => void
  readonly title: string
  readonly closeLabel: string
  /** `side` slides in from the end of the line, `centre` stands in the middle; both fill a phone. */
  readonly place?: 'side' | 'centre'
  /** Neither Escape nor a press outside closes it, and there is no close button: something is under way in it. */
  readonly held?: boolean
  readonly children: ReactNode
}

const places = {
  side: 'fixed inset-y-0 end-0 w-full max-w-full sm:w-[30rem] data-starting-style:translate-x-8 data-ending-style:translate-x-8',
  centre:
    'fixed inset-0 sm:inset-auto sm:start-1/2 sm:top-[8vh] sm:w-[26rem] sm:max-h-[84vh] sm:-translate-x-1/2 sm:rounded-tile rtl:sm:translate-x-1/2',
} as const

export function Sheet({ open, onClose, title, closeLabel, place = 'side', held = false, children }: SheetProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  const popup = useRef<HTMLDivElement>(null)
  return (
    <Dialog.Root
      open={open}
      disablePointerDismissal={held}
      onOpenChange={(next) => {
        if (!next && !held) onClose()
      }}
      onOpenChangeComplete={(next) => {
        if (!next) requestAnimationFrame(keepFocus)
      }}
    >
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 bg-black/40 transition-opacity duration-200 data-ending-style:opacity-0 data-starting-style:opacity-0" />
        <Dialog.Popup
          ref={popup}
          // What is in it may have taken the focus already.
          initialFocus={() => !popup.current?.contains(document.activeElement) && heading.current}
          className={`${places[place]} flex flex-col bg-ground text-ink shadow-sheet transition-[opacity,transform] duration-200 data-ending-style:opacity-0 data-starting-style:opacity-0`}
        >
          <header className="flex min-h-[4.8125rem] items-center justify-between gap-4 border-b border-line px-5 py-4">
            <Dialog.Title ref={heading} tabIndex={-1} className="text-2xl outline-none">
              {title}
            </Dialog.Title>
            {!held && (
              <Dialog.Close
                aria-label={closeLabel}
                className="-me-2 inline-flex size-11 items-center justify-center rounded-control hover:bg-sunken"
              >
                <CloseIcon />
              </Dialog.Close>
            )}
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain px-5 py-5">{children}</div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

/**
 * What opened the sheet may be gone, as a basket's button is once it has been ordered: reading goes on from the top then, and
 * not from nowhere.
 */
function keepFocus(): void {
  if (document.activeElement !== document.body || document.querySelector('[role=dialog]') !== null) return
  const heading = document.querySelector('h1')
  heading?.setAttribute('tabindex', '-1')
  heading?.focus({ preventScroll: true })
}
