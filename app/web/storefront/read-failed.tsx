import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { explain } from './explain.ts'

export interface ReadFailedProps {
  readonly of: { readonly error: unknown; readonly refetch: () => unknown }
}

/** Why something could not be read, and a button that tries again. */
export function ReadFailed({ of: { error, refetch } }: ReadFailedProps) {
  return (
    <Notice tone="bad">
      {explain(error)}{' '}
      <Button variant="quiet" onClick={() => void refetch()}>
        {messages.tryAgain}
      </Button>
    </Notice>
  )
}
