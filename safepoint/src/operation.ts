import type { Isolation, SqlTransaction } from './database.ts'
import { SafepointError, type SafepointErrorOptions } from './errors.ts'
import { checkMilliseconds, longestTime } from './check-milliseconds.ts'
import type { Progress } from './protocol.ts'
import type { SchemaInput, SchemaOutput, StandardSchema } from './standard-schema.ts'

/** What a lost connection of the last attached caller means. */
export type DisconnectPolicy = 'finish' | 'cancel' | 'cancel-until-first-step'

/** The refusal a handler returns: final, stored under the key, replayed. Its statements are rolled back. */
export class Failure<Code extends string = string> {
  readonly code: Code
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
  constructor(code: Code, message: string, details: Readonly<Record<string, unknown>> = {}) {
    this.code = code
    this.message = message
    this.details = details
  }
}

/** Status and headers that a transport sends with a result. Only headers of the safelist are stored and replayed. */
export interface ResponseHead {
  /** 200 to 299. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** What every handler is told. */
export interface OperationContext {
  /** Identity of this run of the key, for all time. */
  readonly operationId: string
  readonly scope: string
  readonly key: string
  readonly actor: string | undefined
  /** Fires when this run is to stop: a cancel, a deadline, a disconnect, a lost race. Its reason is a SafepointError. */
  readonly signal: AbortSignal
  /** 1 on the first run of the transaction, more on each retry. */
  readonly attempt: number
  /** The version the caller saw (`If-Match`), where it sent one. */
  readonly ifMatch: number | undefined
  /** A point where a pending cancel is noticed: throws when this run is to stop. */
  safepoint(): void
  /** Sets the status and headers the result is answered with. */
  respond(head: ResponseHead): void
  /** What the declared undo needs to know besides input and result, such as what was there before; handed to its `record`. */
  note(noted: unknown): void
  /** Makes a refusal to *return*: stored as the final answer of this key. Throw a SafepointError to refuse without a trace. */
  fail<Code extends string>(code: Code, message: string, details?: Readonly<Record<string, unknown>>): Failure<Code>
}

/** The context of an atomic operation: all effects go through `tx`. */
export interface AtomicContext<Tx> extends OperationContext {
  readonly tx: Tx
}

/** The result of a durable handler's last transaction, which carries the gate. Made by `ctx.finish`. */
export class Finish<Tx, Result> {
  readonly work: (tx: Tx) => Promise<Result | Failure>
  constructor(work: (tx: Tx) => Promise<Result | Failure>) {
    this.work = work
  }
}

export interface DurableContext<Tx, Steps> extends OperationContext {
  /** Runs a declared step, once: after a take-over a recorded answer is returned instead of a second call. */
  readonly steps: { readonly [Name in keyof Steps]: StepCall<Steps[Name]> }
  /** Reads in a transaction of its own that can write nothing. */
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Return it: `work` is the operation's last transaction and commits together with the outcome, or not at all. */
  finish<Result>(work: (tx: Tx) => Promise<Result | Failure>): Finish<Tx, Result>
  /** Tells watchers how far it is. Best effort. */
  progress(progress: Progress): void
}

type StepCall<S> = S extends Step<any, infer Request, infer Response> ? (request: Request) => Promise<Response> : never

/** What a step leaves behind, and who takes it back. Exactly one of the three. */
export type Leaves<Undo> =
  /** Takes the step back. Called once in effect, under a key of its own, until it succeeds or its tries are used up. */
  | { readonly undo: Undo; readonly keep?: never; readonly cleanup?: never }
  /** Why the step stays when the operation is cancelled. */
  | { readonly keep: string; readonly undo?: never; readonly cleanup?: never }
  /** Sweeps what nobody sees or pays for; a cancel does not wait for it. */
  | { readonly cleanup: Undo; readonly undo?: never; readonly keep?: never }

export interface CallContext {
  /** The provider's idempotency key for this call: derived from the operation's id, the same on every attempt. */
  readonly key: string
  /** Fires on cancel, on the call's time-out and on a lost lease. Pass it on: then a cancel is answered `stopped`. */
  readonly signal: AbortSignal
  readonly attempt: number
  readonly scope: string
  readonly operationId: string
}

/**
 * How the engine learns what became of a call whose answer was lost. They are tried in this order, after the quiet time
 * (call time-out + lease since the last attempt) where the order needs it: `close`, `find`, `repeat`, and then a human.
 */
export interface Settling<Request, Response> {
  /** The provider reverses the call and refuses it later. Used when the operation is being undone. */
  readonly close?: (request: Request, context: CallContext) => Promise<void>
  /** Asks the provider what it did under the key; `undefined` means that there is nothing. */
  readonly find?: (request: Request, context: CallContext) => Promise<Response | undefined>
  /** The provider honours the key for `window` milliseconds: the recorded request is sent again. */
  readonly repeat?: { readonly window: number }
}

/** A call to the outside. Its request is committed before it starts. */
export type OutsideStep<Request, Response> = {
  readonly form: 'outside'
  /** Longest time of one attempt, in milliseconds. */
  readonly timeout: number
  readonly call: (request: Request, context: CallContext) => Promise<Response>
  readonly settle?: Settling<Request, Response>
  /** Attempts of a call that is known to have had no effect, or that may be repeated. Default 3. */
  readonly tries?: number
} & Leaves<(done: { readonly request: Request; readonly response: Response }, context: CallContext) => Promise<void>>

/** A transaction that commits before the operation ends; it is fenced in that transaction. */
export type TransactionStep<Tx, Request, Response> = {
  readonly form: 'transaction'
  readonly isolation?: Isolation
  readonly run: (
    tx: Tx,
    request: Request,
    context: { readonly operationId: string; readonly scope: string },
  ) => Promise<Response>
} & Leaves<
  (
    tx: Tx,
    done: { readonly request: Request; readonly response: Response },
    context: { readonly operationId: string; readonly scope: string },
  ) => Promise<void>
>

/** Another operation, run under a key derived from this one's. Its undo is its cancel, or its own undo when that is too late. */
export type OperationStep<Tx, Request, Response> = {
  readonly form: 'operation'
  readonly operation: () => AnyOperation<Tx>
  readonly keep?: string
  /** Only types: what goes in and out. */
  readonly '~types'?: { readonly request: Request; readonly response: Response }
}

export type Step<Tx, Request = any, Response = any> =
  | OutsideStep<Request, Response>
  | TransactionStep<Tx, Request, Response>
  | OperationStep<Tx, Request, Response>

/** Undo of a succeeded operation: an operation of its own, keyed by the undone one's id. */
export interface AtomicUndo<Tx, Recorded> {
  readonly steps?: never
  readonly run: (ctx: AtomicContext<Tx>, recorded: Recorded) => Promise<unknown>
}

export interface DurableUndo<Tx, Recorded> {
  readonly steps: Record<string, Step<Tx>>
  /** Of the undo's own steps, should it not succeed: as of a durable operation. */
  readonly undoOrder?: 'reverse' | 'ordered'
  readonly run: (ctx: DurableContext<Tx, any>, recorded: Recorded) => Promise<unknown>
}

/** Every operation says how it is undone, or why it stays. */
export type UndoOrKeep<Tx, Input, Result> =
  | {
      readonly undo: (AtomicUndo<Tx, any> | DurableUndo<Tx, any>) & {
        /**
         * What the undo needs to know, recorded with the outcome as JSON. `run` is told what is made of that (of a `Date`, a text), which is
         * why its second parameter is annotated there and not inferred from here.
         */
        readonly record: (done: {
          readonly input: Input
          readonly result: Result
          readonly operationId: string
          /** What the handler noted last. */
          readonly noted: any
        }) => unknown
      }
      readonly keep?: never
    }
  | { readonly keep: string; readonly undo?: never }

interface Common<Schema extends StandardSchema, Result> {
  /** `noun.verb`, unique: file name, log field and metric label. */
  readonly name: string
  readonly input: Schema
  /** The codes a handler may fail or throw with, and what each means. */
  readonly errors?: Readonly<Record<string, string>>
  /** Default `finish`. */
  readonly onDisconnect?: DisconnectPolicy
  /** What a cancel means for the person who presses it; the table in the documentation is made of these. */
  readonly onCancel?: string
  /**
   * Milliseconds from the start, 1 or more. An atomic operation is rolled back and may be tried again; a durable one is undone. Default
   * 30 000 / 10 min; at most 24 days / ten years.
   */
  readonly deadline?: number
  /** Webhooks: always finishes, looks the key up before it runs, takes a repeat with another payload as a recorded conflict. */
  readonly inbox?: boolean
  /** Always looks the key up first, also where the request does not say that it is a retry. */
  readonly lookUpFirst?: boolean
  /**
   * Why no cancel is taken. A durable operation takes none from its start. Of an atomic one there is no row before it ends: a cancel of
   * its key that comes first is told `cancelled`, and it is then never done.
   */
  readonly uncancellable?: string
  /** Fields minted at each answer and never stored, such as a token. */
  readonly fresh?: (answer: {
    readonly scope: string
    readonly actor: string | undefined
    readonly result: Result
  }) => Record<string, unknown> | Promise<Record<string, unknown>>
}

export type AtomicOperation<Tx, Schema extends StandardSchema = StandardSchema<any, any>, Result = any> = Common<
  Schema,
  Result
> &
  UndoOrKeep<Tx, SchemaOutput<Schema>, Result> & {
    readonly steps?: never
    readonly isolation?: Isolation
    /** Runs of the whole transaction on 40001, 40P01 and `conflict`, in all. Default: the engine's `attempts`. */
    readonly tries?: number
    /**
     * Called again for each further run of its transaction, so that nothing but `ctx.tx` may remember an earlier one: leave `input` as
     * it is. A schema that does not copy hands the same object to each run.
     */
    readonly run: (ctx: AtomicContext<Tx>, input: SchemaOutput<Schema>) => Promise<Result | Failure>
  }

export type DurableOperation<
  Tx,
  Schema extends StandardSchema = StandardSchema<any, any>,
  Result = any,
  Steps extends Record<string, Step<Tx>> = any,
> = Common<Schema, Result> &
  UndoOrKeep<Tx, SchemaOutput<Schema>, Result> & {
    readonly steps: Steps
    /** How long `run` waits for the end before it answers that it is under way, in milliseconds. Default 10 000. */
    readonly wait?: number
    /** Milliseconds that undoing may take before a human is asked. Default 10 min. */
    readonly undoDeadline?: number
    /** `reverse` (default) goes past a failed undo; `ordered` stops there. */
    readonly undoOrder?: 'reverse' | 'ordered'
    /** Called again after a take-over, and after a lost connection: what it is to remember is a step. Leave `input` as it is. */
    readonly run: (
      ctx: DurableContext<Tx, Steps>,
      input: SchemaOutput<Schema>,
    ) => Promise<Result | Failure | Finish<Tx, Result>>
  }

export type AnyOperation<Tx = any> =
  | AtomicOperation<Tx, StandardSchema<any, any>, any>
  | DurableOperation<Tx, StandardSchema<any, any>, any, any>

/** What a caller hands in and gets out, for use with an operation's type. */
export type InputOf<O> = O extends { readonly input: infer Schema } ? SchemaInput<Schema> : never
export type ResultOf<O> = O extends { readonly run: (...args: any[]) => Promise<infer R> }
  ? Exclude<R extends Finish<any, infer F> ? F : R, Failure<any>>
  : never

export function isDurable<Tx>(operation: AnyOperation<Tx>): operation is DurableOperation<Tx, any, any, any> {
  return operation.steps !== undefined
}

/** What the types say too, for those who write JavaScript, and the times, for which there is no type. */
function checkDefinition(definition: AnyOperation): void {
  const { name, deadline } = definition
  if (isDurable(definition)) {
    checkMilliseconds(name, { wait: definition.wait }, { least: 0 })
    checkMilliseconds(name, { deadline, undoDeadline: definition.undoDeadline }, { most: longestTime })
  } else {
    checkMilliseconds(name, { deadline })
    checkTries(name, definition.tries)
  }
  for (const [step, declared] of Object.entries<Step<any>>({ ...definition.undo?.steps, ...definition.steps })) {
    const of = `${name}, step ${step}`
    if (!/^[a-z][A-Za-z0-9]{0,31}$/.test(step))
      throw new TypeError(`${of}: a step is named in camelCase with at most 32 characters.`)
    if (declared.form === 'operation') continue
    const { undo, keep, cleanup } = declared
    if ([undo, keep, cleanup].filter((one) => one !== undefined).length !== 1)
      throw new TypeError(`${of}: it declares one of undo, keep and cleanup.`)
    if (declared.form === 'transaction') continue
    checkMilliseconds(of, { timeout: declared.timeout })
    checkMilliseconds(of, { window: declared.settle?.repeat?.window }, { most: Infinity })
    checkTries(of, declared.tries)
  }
}

function checkTries(of: string, tries: number | undefined): void {
  if (tries !== undefined && !(Number.isInteger(tries) && tries >= 1))
    throw new TypeError(`${of}: tries is a whole number from 1, not ${tries}.`)
}

/**
 * The definers for handlers whose transaction is `Tx` (what the database adapter hands out):
 *
 *     export const { defineOperation, outsideStep, transactionStep } = operationsOn<SqlTransaction>()
 */
export function operationsOn<Tx>() {
  /**
   * Checks a definition and returns it as it is. Throws a TypeError for a name that is not `noun.verb`, a step that does not say what
   * becomes of it, and a time that no timer can take.
   */
  function defineOperation<Schema extends StandardSchema<any, any>, Result>(
    definition: AtomicOperation<Tx, Schema, Result>,
  ): AtomicOperation<Tx, Schema, Result>
  function defineOperation<
    Schema extends StandardSchema<any, any>,
    Result,
    const Steps extends Record<string, Step<Tx>>,
  >(definition: DurableOperation<Tx, Schema, Result, Steps>): DurableOperation<Tx, Schema, Result, Steps>
  function defineOperation(definition: AnyOperation<Tx>): AnyOperation<Tx> {
    if (!/^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$/.test(definition.name)) {
      throw new TypeError(`An operation is named noun.verb in lower case, not ${JSON.stringify(definition.name)}.`)
    }
    checkDefinition(definition)
    return definition
  }
  return {
    defineOperation,
    outsideStep: <Request, Response>(
      step: Omit<OutsideStep<Request, Response>, 'form'> & Leaves<any>,
    ): OutsideStep<Request, Response> => ({ form: 'outside', ...step }) as OutsideStep<Request, Response>,
    transactionStep: <Request, Response>(
      step: Omit<TransactionStep<Tx, Request, Response>, 'form'> & Leaves<any>,
    ): TransactionStep<Tx, Request, Response> =>
      ({ form: 'transaction', ...step }) as TransactionStep<Tx, Request, Response>,
    /**
     * Another operation as a step, run under a key derived from this one's. Going back cancels it, and where that is too late undoes
     * it; what of it stays, stays. With `keep` it is left to itself.
     */
    operationStep: <O extends AnyOperation<Tx>>(
      operation: () => O,
      options: { readonly keep?: string } = {},
    ): OperationStep<Tx, InputOf<O>, ResultOf<O>> => ({ form: 'operation', operation, ...options }),
  }
}

/** The definers for the plain SQL transaction of the `pg` adapter. */
export const { defineOperation, outsideStep, transactionStep, operationStep } = operationsOn<SqlTransaction>()

/** A refusal that leaves no trace: the key stays free and the same request may be sent again once its cause is gone. */
export function refuse<Code extends string>(
  code: Code,
  message: string,
  options?: SafepointErrorOptions,
): SafepointError<Code> {
  return new SafepointError(code, message, options)
}
