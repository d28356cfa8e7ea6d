import { useState } from 'react'
import { operationHref, useOperation } from '../api/operations.ts'
import { messages } from '../messages.ts'

/** The operation key, and what the server says of it: for support, and for whoever wants to check the verdict. */
export function OperationDetails({ operationKey }: { readonly operationKey: string }) {
  const [looking, setLooking] = useState(false)
  const operation = useOperation(operationKey, looking)
  const text = messages.verdict
  return (
    <details className="min-w-0 text-sm text-muted">
      <summary>{text.details}</summary>
      <p className="mt-2">
        {text.key}: <code className="font-mono break-all text-ink">{operationKey}</code>
      </p>
      <p className="mt-1">
        <a
          href={operationHref(operationKey)}
          className="text-brand underline underline-offset-4"
          onClick={(event) => {
            // Opened as a page of its own it would come without the access token.
            event.preventDefault()
            setLooking(true)
          }}
        >
          {text.state}
        </a>
      </p>
      {looking && (
        <pre
          className="mt-2 max-h-64 overflow-auto rounded-control bg-sunken p-3 font-mono text-xs text-ink"
          aria-live="polite"
        >
          {operation.data
            ? JSON.stringify(operation.data, null, 2)
            : operation.isError
              ? text.stateFailed
              : text.stateLoading}
        </pre>
      )}
    </details>
  )
}
