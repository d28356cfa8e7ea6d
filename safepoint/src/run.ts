import type { Statement } from './database.ts'
import { inJson } from './parse-input.ts'
import { digest, spelling } from './fingerprint.ts'
import type { AnyOperation } from './operation.ts'
import type { RunOptions } from './options.ts'
import { markUndone } from './sql/end-operation.ts'
import { uuidv7 } from './uuid.ts'

/** What one run of a key is about. A class, since V8 makes an object literal that has a getter in ten times the time. */
export class Run {
  readonly scope: string
  readonly key: string
  /** The key came from outside, so that a row may exist that this run did not write. */
  readonly keyGiven: boolean
  /** Identity of this run, for all time. */
  readonly id: string
  readonly actor: string | undefined
  readonly input: unknown
  readonly ifMatch: number | undefined
  readonly lookUpFirst: boolean
  /** Statements that commit together with the outcome, right before the gate. */
  readonly beforeGate: readonly Statement[] | undefined
  readonly #spelling: string
  #fingerprint: Buffer | undefined

  /** Throws `input_invalid` for what JSON cannot say. */
  constructor(
    operation: AnyOperation,
    key: string,
    input: unknown,
    options: RunOptions & { readonly undoes?: string },
  ) {
    this.scope = options.scope
    this.key = key
    this.keyGiven = options.key !== undefined
    this.id = uuidv7()
    this.actor = options.actor
    this.input = input
    this.ifMatch = options.ifMatch
    this.lookUpFirst = (options.retryAttempt ?? 0) > 0 || operation.lookUpFirst === true || operation.inbox === true
    this.beforeGate = options.undoes === undefined ? undefined : [markUndone(options.scope, options.undoes, key)]
    // Now, as a handler may change its input; the hash of it has time.
    this.#spelling = inJson(() => spelling(operation.name, options.fingerprintOf ?? input, options.ifMatch))
  }

  /** Computed when it is first asked for. */
  get fingerprint(): Buffer {
    return (this.#fingerprint ??= digest(this.#spelling))
  }
}
