import { isDeepStrictEqual } from 'node:util'
import type { Answer } from '../../src/index.ts'
import type { CancelAnswer, OperationView, State } from '../../src/protocol.ts'

/** What crossed the process boundary of an error. */
export interface Thrown {
  readonly code: string | undefined
  readonly message: string
}

/** One call about a key, and what it was told. Times are milliseconds of the host's monotonic clock. */
export type Told = {
  readonly who: string
  /** The process that was asked. */
  readonly server: number
  readonly sentAt: number
  readonly toldAt: number
} & (
  | { readonly call: 'run'; readonly said: Answer<any>; readonly threw?: never }
  | { readonly call: 'cancel'; readonly said: CancelAnswer; readonly threw?: never }
  | { readonly call: 'find'; readonly said: OperationView; readonly threw?: never }
  | { readonly call: 'run' | 'cancel' | 'find'; readonly said?: never; readonly threw: Thrown }
)

/** What is so, read from the rows (and the provider's book) once nothing runs any more. */
export interface Facts {
  /** Effects that stand: committed rows, charges that were not reversed. */
  readonly effects: number
  /** Whose they are, for whoever reads the history of an untrue answer. */
  readonly effectOf: readonly string[]
  readonly row:
    | {
        readonly state: State
        readonly id: string
        readonly name: string | null
        readonly head: string | null
        readonly body: Uint8Array | null
        readonly cancels: number
      }
    | undefined
  /** Rows of `safepoint.cancel_event` for the key. */
  readonly events: number
  /** Operation ids under which each call's own handler ran, by the index of the call. */
  readonly ranAs: ReadonlyArray<readonly string[]>
}

/** A cancel may be told nothing, and is to be sent again: these two codes say so. */
const nothingTold = new Set(['unavailable', 'indeterminate'])

/**
 * Judges every answer that anybody was given about one key against the facts. Returns what is untrue, in words; an empty
 * list means that everybody was told the truth.
 */
export function findUntrue(told: readonly Told[], facts: Facts): string[] {
  const untrue: string[] = []
  const { row, effects } = facts
  const text = (body: Uint8Array | null | undefined) => (body ? Buffer.from(body).toString() : '')
  const result = row?.body && row.body.length > 0 ? JSON.parse(text(row.body)) : undefined
  const claim = (index: number, holds: boolean, what: string) => {
    if (!holds)
      untrue.push(`${told[index]?.who ?? 'everybody'}: ${what}; effects ${effects}, row ${row?.state ?? 'none'}`)
  }
  const ended = (state: State) => row?.state === state && effects === (state === 'succeeded' ? 1 : 0)

  claim(-1, effects <= 1, 'I1: more than one effect')
  claim(-1, (effects === 1) === (row?.state === 'succeeded'), 'I3: effect and row disagree')
  const answeredCancels = told.filter((one) => one.call === 'cancel' && one.said)
  const cancels = told.filter((one) => one.call === 'cancel')
  claim(
    -1,
    facts.events >= answeredCancels.length && facts.events <= cancels.length,
    `I9: ${facts.events} events for ${answeredCancels.length} answered cancels`,
  )
  claim(
    -1,
    answeredCancels.filter(({ said }) => (said as CancelAnswer).outcome === 'cancelled' && !('repeat' in said!))
      .length <= 1,
    'more than one cancel was told to be the first',
  )

  for (const [index, one] of told.entries()) {
    if (one.threw) {
      const { code = '', message } = one.threw
      const ran = facts.ranAs[index] ?? []
      if (one.call === 'run')
        claim(
          index,
          code === 'indeterminate' || !(row?.state === 'succeeded' && ran.includes(row.id)),
          `told ${code || message}, and was committed`,
        )
      if (one.call === 'cancel') claim(index, nothingTold.has(code), `a cancel threw ${code || message}`)
      if (one.call === 'find') claim(index, nothingTold.has(code), `a look threw ${code || message}`)
      continue
    }
    if (one.call === 'run') checkRun(index, one.said)
    else if (one.call === 'cancel') checkCancel(index, one.said)
    else checkView(index, one.said, one.sentAt)
  }
  return untrue

  function checkRun(index: number, said: Answer<any>): void {
    switch (said.outcome) {
      case 'succeeded':
        claim(index, ended('succeeded'), 'I3: told succeeded')
        claim(index, said.operationId === row?.id, `I3: told of the run ${said.operationId}, and it is ${row?.id}`)
        claim(index, text(said.response.body) === text(row?.body), 'I4: the response is not the stored one')
        claim(index, isDeepStrictEqual(headOf(said.response), headOf(storedHead())), 'I4: status or headers differ')
        return
      case 'failed':
        return claim(index, ended('failed') && said.error.code === result?.code, `told failed ${said.error.code}`)
      case 'cancelled':
        return claim(index, ended('cancelled'), 'I2: told cancelled')
      case 'pending':
        return claim(index, row !== undefined, 'told pending without a row')
    }
  }

  function storedHead(): { status: number; headers: Readonly<Record<string, string>> } {
    const head = row?.head ? JSON.parse(row.head) : {}
    return { status: head.status ?? (row?.body?.length ? 200 : 204), headers: head.headers ?? {} }
  }

  function checkCancel(index: number, said: CancelAnswer): void {
    switch (said.outcome) {
      case 'cancelled':
        return claim(index, ended('cancelled'), 'I2: told cancelled')
      case 'undoing':
        return claim(
          index,
          row?.state === 'undoing' || row?.state === 'needs_attention' || ended(said.target),
          'I2: told undoing',
        )
      case 'too_late':
        if (said.state === 'failed')
          return claim(index, ended('failed') && said.error?.code === result?.code, 'told too_late (failed)')
        claim(index, ended('succeeded'), 'I3: told too_late (succeeded)')
        return claim(index, isDeepStrictEqual(said.result, result), 'I3: too_late carries another result')
      case 'needs_attention':
        return claim(index, row !== undefined && row.state !== 'succeeded', 'told needs_attention')
    }
  }

  function checkView(index: number, said: OperationView, sentAt: number): void {
    if (said.state === 'none' || said.state === 'running' || said.state === 'undoing') {
      const before = told.find((other) => other.toldAt < sentAt && isFinal(other))
      return claim(index, before === undefined, `saw ${said.state} after ${before?.who} had been told how it ended`)
    }
    claim(index, said.state === row?.state && said.id === row.id, `saw ${said.state}`)
    if (said.state === 'succeeded') claim(index, isDeepStrictEqual(said.result, result), 'saw another result')
  }
}

function isFinal({ call, said }: Told): boolean {
  if (!said) return false
  if (call === 'find') return ['succeeded', 'failed', 'cancelled'].includes((said as OperationView).state)
  return ['succeeded', 'failed', 'cancelled', 'too_late'].includes((said as Answer | CancelAnswer).outcome)
}

const headOf = ({ status, headers }: { status: number; headers: Readonly<Record<string, string>> }) => ({
  status,
  headers,
})
