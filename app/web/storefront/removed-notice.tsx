import { useEffect, useRef } from 'react'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'

export interface RemovedNoticeProps {
  readonly words: string
  readonly undo: string
  readonly onUndo: () => void
}

/** Where a line was taken out of a list, with the way back. Its button is gone, and so reading goes on here. */
export function RemovedNotice({ words, undo, onUndo }: RemovedNoticeProps) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => place.current?.focus({ preventScroll: true }), [words])
  return (
    <div ref={place} tabIndex={-1} className="outline-none">
      <Notice>
        <span className="flex flex-wrap items-center justify-between gap-x-3">
          <bdi className="min-w-0 wrap-anywhere">{words}</bdi>
          <Button single variant="quiet" onClick={onUndo}>
            {undo}
          </Button>
        </span>
      </Notice>
    </div>
  )
}
