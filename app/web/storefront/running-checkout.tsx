import type { Running } from '../api/checkout.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { formatMoney } from '../ui/money.ts'
import { ProgressBar } from '../ui/progress-bar.tsx'
import { SpokenHeading } from '../ui/spoken-heading.tsx'
import { OperationDetails } from './operation-details.tsx'

export interface RunningCheckoutProps {
  readonly running: Running
  readonly onCancel: () => void
}

/** While it runs: what is being done, and a Cancel that is always there. */
export function RunningCheckout({ running, onCancel }: RunningCheckoutProps) {
  const text = messages.checkout
  const paying = running.stage === 'confirming'
  const opening = running.stage === 'opening'
  const releasing = running.stage === 'releasing'
  const unsure = running.askNow !== undefined
  const total = running.order?.total
  const charging = total === undefined ? text.paying : text.payingTotal(formatMoney(total))
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
      <div aria-live="polite" className="grid grid-cols-[minmax(0,1fr)] gap-4">
        {/* A Cancel that was pressed can be pressed no more, and so the focus goes on to what it led to. */}
        <SpokenHeading key={String(running.cancelAsked)}>
          {unsure
            ? messages.verdict.unknown
            : running.cancelAsked
              ? text.cancelAsked
              : releasing
                ? text.lettingGo
                : opening
                  ? text.opening
                  : text.running}
        </SpokenHeading>
        {unsure ? (
          <p className="text-muted">{running.cancelAsked ? text.cancelKept : messages.verdict.unknownHint}</p>
        ) : (
          !releasing && (
            <ol className="grid grid-cols-[minmax(0,1fr)] gap-2">
              <Step done={paying} now={!paying} label={text.placing} />
              <Step done={false} now={paying} label={opening ? text.opening : charging} />
            </ol>
          )
        )}
      </div>
      <ProgressBar label={text.running} />
      {unsure && <Button onClick={running.askNow}>{messages.verdict.retryNow}</Button>}
      {!releasing && (
        <Button single variant="danger" size="large" disabled={running.cancelAsked} onClick={onCancel}>
          {running.cancelAsked ? text.cancelling : text.cancel}
        </Button>
      )}
      <p className="text-sm text-muted">{text.doNotWorry}</p>
      <OperationDetails operationKey={running.key} />
    </div>
  )
}

interface StepProps {
  readonly label: string
  readonly done: boolean
  readonly now: boolean
}

function Step({ label, done, now }: StepProps) {
  const text = messages.checkout
  return (
    <li
      className={`flex items-center gap-3 ${done || now ? 'text-ink' : 'text-muted'}`}
      {...(now ? { 'aria-current': 'step' } : {})}
    >
      <span
        aria-hidden="true"
        className={`flex size-6 items-center justify-center rounded-full text-sm ${done ? 'bg-good text-on-brand' : now ? 'border-2 border-brand' : 'border border-line-strong'}`}
      >
        {done ? '✓' : ''}
      </span>
      <span>
        {label} <span className="sr-only">({done ? text.stepDone : now ? text.stepNow : text.stepNext})</span>
      </span>
    </li>
  )
}
