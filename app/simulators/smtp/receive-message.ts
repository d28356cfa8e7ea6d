import { setTimeout as sleep } from 'node:timers/promises'
import PostalMime from 'postal-mime'
import { now, type CallLog } from '../call-log.ts'
import type { AppliedFaults, FaultQueue, Point } from '../faults.ts'
import type { Mailbox } from './mailbox.ts'

/** Thrown where a fault cuts the connection: nothing is answered. */
export const dropped = new Error('the connection was cut by a fault')

/** An answer that is no `250`. */
export class SmtpReply extends Error {
  readonly responseCode: number
  constructor(code: number, text: string) {
    super(text)
    this.responseCode = code
  }
}

export interface Receiver {
  readonly calls: CallLog
  readonly faults: FaultQueue
  readonly mailbox: Mailbox
  readonly closing: AbortSignal
}

export interface Envelope {
  readonly from: string
  readonly to: readonly string[]
  /** Fires when the client's connection is gone; what has arrived is kept all the same. */
  readonly left: AbortSignal
}

/** `RCPT TO`, a call of the log. Throws what is not answered by `250`. */
export async function takeRecipient({ calls, faults, closing }: Receiver, envelope: Envelope): Promise<void> {
  const params = { from: envelope.from, to: envelope.to.join(',') }
  const call = calls.open({ method: 'RCPT', path: '/', key: null, params, arrivedAt: now() })
  const taken = faults.take(call)
  call.faults.push(...taken.faults.map(({ kind }) => kind))
  try {
    for (const point of ['arrived', 'begun', 'executed'] as const) {
      await reach(taken, point, closing)
      if (point === 'begun') refuse(taken)
    }
    calls.close(call, 'answered', 250)
  } catch (error) {
    calls.close(
      call,
      error === dropped ? 'dropped' : 'answered',
      error instanceof SmtpReply ? error.responseCode : null,
    )
    throw error
  }
}

/**
 * The text after `DATA`, a call of the log under its Message-ID. Kept before it is answered: what becomes of the client or of the
 * answer changes nothing. Answers what follows `250`; throws what is answered instead.
 */
export async function receiveMessage(receiver: Receiver, envelope: Envelope, raw: Buffer): Promise<string> {
  const { calls, faults, mailbox, closing } = receiver
  const parsed = await PostalMime.parse(raw)
  const messageId = parsed.messageId ?? null
  const subject = parsed.subject ?? ''
  const call = calls.open({
    method: 'DATA',
    path: '/',
    key: messageId,
    params: { from: envelope.from, to: envelope.to.join(','), subject },
    arrivedAt: now(),
  })
  const taken = faults.take(call)
  call.faults.push(...taken.faults.map(({ kind }) => kind))
  envelope.left.addEventListener('abort', () => call.outcome === 'pending' && calls.abort(call), { once: true })
  try {
    await reach(taken, 'arrived', closing)
    refuse(taken)
    await reach(taken, 'begun', closing)
    const first = mailbox.accept({
      messageId,
      from: envelope.from,
      to: envelope.to,
      subject,
      text: parsed.text ?? '',
      html: parsed.html ?? '',
      headers: Object.fromEntries(parsed.headers.map(({ key, value }) => [key, value])),
      receivedAt: call.arrivedAt,
    })
    call.executed = true
    call.replayed = !first
    await reach(taken, 'executed', closing)
    calls.close(call, call.aborted ? 'aborted' : 'answered', 250)
    return `2.0.0 Ok: queued as ${call.sequence}${first ? '' : ', known by its Message-ID'}`
  } catch (error) {
    calls.close(
      call,
      error === dropped ? 'dropped' : 'answered',
      error instanceof SmtpReply ? error.responseCode : null,
    )
    throw error
  }
}

async function reach(taken: AppliedFaults, point: Point, closing: AbortSignal): Promise<void> {
  for (const fault of taken.faults) {
    if (fault.kind === 'drop' && fault.at === point) throw dropped
    if (fault.kind === 'delay' && fault.at === point)
      await sleep(fault.ms, undefined, { signal: closing }).catch(() => {})
    if (fault.kind === 'hang' && fault.at === point) await taken.hold()
  }
}

function refuse(taken: AppliedFaults): void {
  for (const fault of taken.faults) if (fault.kind === 'reply') throw new SmtpReply(fault.code, fault.text)
}
