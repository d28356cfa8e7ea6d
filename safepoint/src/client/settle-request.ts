import type { CancelAnswer } from '../protocol.ts'
import { exchangeUntilFinal, follow, verdictOfView, type End, type Exchange, type ExchangeContext } from './exchange.ts'
import type { Outbox } from './outbox.ts'
import type { Content } from './read-body.ts'
import { problemOf } from './read-reply.ts'
import type { PendingRequest } from './request-storage.ts'
import { sendCancel } from './send-cancel.ts'
import { guardTransport } from './transport.ts'
import { uuidV7 } from './uuid-v7.ts'
import { isFinal, type Verdict } from './verdict.ts'

export interface SettleContext extends ExchangeContext {
  readonly outbox: Outbox
  /** Who is signed in now. */
  account(): string
  /** Keys this client is busy with, so that `resume` leaves them alone. */
  readonly active: Set<PendingRequest['key']>
}

export interface SettleInput {
  readonly request: PendingRequest
  readonly content: Content | undefined
  readonly headers: Record<string, string>
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** It may have been sent before: by an earlier page, or by an attempt whose verdict was `unknown`. */
  readonly again: boolean
  /** The key was made for this call, so that nobody can have sent it before. */
  readonly keyIsNew: boolean
  readonly persisted: boolean
}

/**
 * Brings one request to its verdict and forgets it once that is final. Never rejects. An abort is answered by the server:
 * the cancel and the request's own answer race, and either is the truth, since the server lets only one of them win.
 */
export async function settleRequest<T>(given: SettleContext, input: SettleInput): Promise<Verdict<T>> {
  const { request } = input
  const isTheirs = () => given.account() === request.account
  const context: SettleContext = { ...given, transport: guardTransport(given.transport, isTheirs) }
  context.active.add(request.key)
  const exchange: Exchange = {
    request,
    content: input.content,
    headers: input.headers,
    timeoutMs: input.timeoutMs,
    stop: new AbortController(),
    drop: new AbortController(),
    maybeSent: input.again || !input.keyIsNew,
    uncertain: input.again,
    sends: input.again ? 1 : 0,
  }
  const verdict = request.cancel
    ? await cancelRequest<T>(context, input, exchange, undefined)
    : await sendRequest<T>(context, input, exchange)
  return finish(context, input, verdict)
}

async function sendRequest<T>(context: SettleContext, input: SettleInput, exchange: Exchange): Promise<Verdict<T>> {
  const { signal, request } = input
  if (signal?.aborted) exchange.stop.abort()
  const sending =
    request.bodyLost && input.content === undefined
      ? askAbout<T>(context, request)
      : exchangeUntilFinal<T>(context, exchange)
  const first = signal ? await unlessAborted(sending, signal) : await sending
  if (first !== 'aborted') return 'verdict' in first ? first.verdict : unknown(context, input, first.cause)

  exchange.stop.abort()
  // Nothing can leave any more, and nobody else knows this key: no server need be asked.
  if (!exchange.maybeSent) return { key: request.key, outcome: 'cancelled' }
  const reason: unknown = signal?.reason
  const cancelled: PendingRequest = {
    ...request,
    cancel: { key: uuidV7(), ...(typeof reason === 'string' && { reason }) },
  }
  // Not awaited: the page may be closing. A reload finds either that it was cancelled, or a request to ask about.
  void context.outbox.put(cancelled)
  return cancelRequest<T>(context, { ...input, request: cancelled }, exchange, sending)
}

/** Cancels, and takes the request's own answer where that tells the end first, or where the cancel gets no answer. */
async function cancelRequest<T>(
  context: SettleContext,
  input: SettleInput,
  exchange: Exchange,
  sending: Promise<End<T>> | undefined,
): Promise<Verdict<T>> {
  const { request } = input
  const { key: cancelKey, reason } = request.cancel!
  const enough = new AbortController()
  const answered = sendCancel(context, { key: request.key, cancelKey, reason }, enough.signal).then(
    (answer) => ({ answer }),
    (cause: unknown) => ({ cause }),
  )
  const succeededFirst = new Promise<Verdict<T>>((resolve) => {
    void sending?.then((end) => 'verdict' in end && end.verdict.outcome === 'succeeded' && resolve(end.verdict))
  })
  const first = await Promise.race([answered, succeededFirst])
  if ('outcome' in first) {
    enough.abort()
    return tooLate(first)
  }
  if ('answer' in first) {
    exchange.drop.abort()
    return verdictOfCancel<T>(context, input, first.answer)
  }
  const end = await sending
  if (end && 'verdict' in end) return tooLate(end.verdict)
  return unknown(context, input, first.cause)
}

function verdictOfCancel<T>(context: SettleContext, input: SettleInput, answer: CancelAnswer): Verdict<T> {
  const { key } = input.request
  switch (answer.outcome) {
    case 'cancelled':
      return { key, outcome: 'cancelled', ...(answer.interrupted !== undefined && { interrupted: answer.interrupted }) }
    case 'needs_attention':
      return { key, outcome: 'needs_attention' }
    case 'undoing':
      return { key, outcome: 'undoing', settled: undone<T>(context, input) }
    case 'too_late':
      if (answer.state === 'failed')
        return { key, outcome: 'too_late', state: 'failed', problem: problemOf(answer.error) }
      return {
        key,
        outcome: 'too_late',
        state: 'succeeded',
        result: answer.result as T,
        ...(answer.undo?.available && { undo: () => context.undo(key) }),
        ...(answer.undo?.keep !== undefined && { keep: answer.undo.keep }),
        ...(answer.undone && { undone: answer.undone }),
      }
  }
}

/** The end of an undo under way. Never rejects. */
async function undone<T>(context: SettleContext, input: SettleInput): Promise<Verdict<T>> {
  const { key } = input.request
  let verdict: Verdict<T> | undefined
  try {
    verdict = verdictOfView<T>(context, key, await follow(context, key))
    verdict ??= unknown(context, input, new Error('There is no trace of the operation that was being undone.'))
  } catch (cause) {
    verdict = unknown(context, input, cause)
  }
  return finish(context, input, verdict)
}

/** What an earlier page sent and cannot be sent again, as its body is gone: it can only be asked about. */
async function askAbout<T>(context: SettleContext, request: PendingRequest): Promise<End<T>> {
  try {
    const verdict = verdictOfView<T>(context, request.key, await follow(context, request.key))
    return verdict
      ? { verdict }
      : { cause: new Error('There is no trace of the operation, and its body is gone: cancel it.') }
  } catch (cause) {
    return { cause }
  }
}

async function finish<T>(context: SettleContext, input: SettleInput, verdict: Verdict<T>): Promise<Verdict<T>> {
  const { request, persisted } = input
  context.report({ type: 'verdict', key: request.key, outcome: verdict.outcome })
  if (verdict.outcome !== 'undoing') context.active.delete(request.key)
  if (isFinal(verdict)) await context.outbox.remove(request)
  return persisted ? verdict : { ...verdict, persisted: false }
}

function unknown<T>(context: SettleContext, input: SettleInput, cause: unknown): Verdict<T> {
  const retry = () => settleRequest<T>(context, { ...input, signal: undefined, again: true })
  return { key: input.request.key, outcome: 'unknown', cause, retry }
}

/** What had ended although it was to be cancelled. */
function tooLate<T>(verdict: Verdict<T>): Verdict<T> {
  if (verdict.outcome === 'succeeded') {
    const { replayed: _, ...rest } = verdict
    return { ...rest, outcome: 'too_late', state: 'succeeded' }
  }
  if (verdict.outcome === 'failed') return { ...verdict, outcome: 'too_late', state: 'failed' }
  return verdict
}

function unlessAborted<V>(promise: Promise<V>, signal: AbortSignal): Promise<V | 'aborted'> {
  return new Promise((resolve) => {
    const abort = () => resolve('aborted')
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort)
    void promise.then((value) => {
      signal.removeEventListener('abort', abort)
      resolve(value)
    })
  })
}
