import type { Isolation } from '../../src/index.ts'
import type { Thrown } from './check-answers.ts'
import type { RaceInput, Trace } from './race-operations.ts'

export interface RaceServerConfig {
  readonly url: string
  readonly connections: number
}

export type RaceCommand =
  | {
      readonly call: 'run'
      readonly scope: string
      readonly key: string
      readonly isolation: Isolation
      readonly input: RaceInput
      readonly retryAttempt?: number
    }
  | { readonly call: 'cancel' | 'find'; readonly scope: string; readonly key: string }

/** Keys that begin so are deaf: no cancel's signal reaches their work, which then loses at the gate or at the poll. */
export const deaf = 'deaf-'

export interface RaceReply {
  readonly sentAt: number
  readonly toldAt: number
  readonly said?: any
  readonly threw?: Thrown
  readonly traces: readonly Trace[]
}
