import { sqlState, type Isolation, type Result, type SqlTransaction, type Statement, type TransactionEnd, type TransactionOptions } from '../database.ts'
import { wire, type PgClient } from './pg.ts'

interface Opening {
  readonly prepared: boolean
  readonly isolation: Isolation | undefined
  readonly readOnly: boolean | undefined
  readonly first: readonly Statement[]
  readonly stopRunning: (pid: number) => Promise<void>
}

export interface OpenTransaction {
  run<T>(
    options: TransactionOptions<T>,
    work: (tx: SqlTransaction) => Promise<T>,
  ): Promise<{ readonly end: TransactionEnd<T>; readonly reusable: boolean }>
}

type Interruption = { readonly interrupted: true; readonly reason: unknown }

/** How long a statement may take to notice that it is to stop before its connection is given up, in milliseconds. */
const stopPatience = 5000

/** One transaction on one pipelined connection. BEGIN waits for the first statement, so that both travel together. */
export function openTransaction(client: PgClient, opening: Opening): OpenTransaction {
  let begun = false
  let unsettled = 0
  let closed: Error | undefined
  let beginning: unknown
  let backendPid = opening.prepared ? client.processID : undefined
  let onIdle: (() => void) | undefined
  let broken: unknown

  const send = (config: object, settle: (error: unknown, result: any) => void) => {
    unsettled++
    client.query(config, (error, result) => {
      unsettled--
      if (error && sqlState(error) === undefined) broken ??= error
      else if (error && fatal(error)) broken ??= error
      settle(error ?? undefined, result)
      if (unsettled === 0) onIdle?.()
    })
  }
  const begin = () => {
    begun = true
    send({ text: beginText(opening) }, (error) => (beginning ??= error))
    for (const statement of opening.first) {
      send(wire(statement, opening.prepared), (error, result) => {
        beginning ??= error
        backendPid = result?.rows?.[0]?.backend_pid ?? backendPid
      })
    }
  }
  /** Whatever is sent by `write` leaves in one packet. */
  const flight = (write: () => void) => {
    const stream = client.connection?.stream
    stream?.cork?.()
    try {
      write()
    } finally {
      stream?.uncork?.()
    }
  }

  const tx: SqlTransaction = {
    query<Row>(statement: Statement | string, values?: readonly unknown[]): Promise<Result<Row>> {
      const asked: Statement = typeof statement === 'string' ? { text: statement, values: values ?? [] } : statement
      if (closed) return Promise.reject(closed)
      if (transactionControl.test(asked.text)) {
        return Promise.reject(new Error('A handler cannot begin, commit or roll back: its transaction is the engine\'s.'))
      }
      return new Promise((resolve, reject) => {
        const settle = (error: unknown, result: Result<Row>) => (error ? reject(beginning ?? error) : resolve(result))
        if (begun) send(wire(asked, opening.prepared), settle)
        else
          flight(() => {
            begin()
            send(wire(asked, opening.prepared), settle)
          })
      })
    },
  }

  const idle = () =>
    unsettled === 0 ? Promise.resolve() : new Promise<void>((resolve) => (onIdle = () => unsettled === 0 && resolve()))

  /** Stops what runs, rolls back, and says whether the connection may be used again: only when all of it was answered. */
  const rollBack = async (): Promise<boolean> => {
    if (!begun) return broken === undefined
    const drained = idle().then(() => true)
    if (unsettled > 0 && backendPid != null) {
      const deadline = performance.now() + stopPatience
      while (performance.now() < deadline && broken === undefined) {
        // The request may arrive between two statements: ask again until everything sent has been answered.
        await opening.stopRunning(backendPid).catch(() => undefined)
        if (await Promise.race([drained, delay(25).then(() => false)])) break
      }
      if (unsettled > 0) return false
    } else {
      await drained
    }
    if (broken !== undefined) return false
    return new Promise((resolve) => send({ text: 'rollback' }, (error) => resolve(!error && broken === undefined)))
  }

  const commit = async <T>(value: T, statements: readonly Statement[]): Promise<{ end: TransactionEnd<T>; reusable: boolean }> => {
    const results: Result[] = []
    let failure: unknown
    let tag: string | undefined
    let commitError: unknown
    await new Promise<void>((resolve) => {
      flight(() => {
        if (!begun) begin()
        for (const statement of statements) {
          send(wire(statement, opening.prepared), (error, result) => (error ? (failure ??= error) : results.push(result)))
        }
        send({ text: 'commit' }, (error, result) => {
          commitError = error
          tag = result?.command
          resolve()
        })
      })
    })
    if (tag === 'COMMIT') return { end: { end: 'committed', value, results }, reusable: true }
    if (tag === 'ROLLBACK' || (commitError !== undefined && sqlState(commitError) !== undefined && !fatal(commitError))) {
      const error = beginning ?? failure ?? commitError ?? new Error('The transaction had been aborted by a failed statement.')
      return { end: { end: 'rolled back', error, interrupted: false }, reusable: broken === undefined }
    }
    return { end: { end: 'unknown', error: commitError }, reusable: false }
  }

  return {
    async run(options, work) {
      const { signal } = options
      const outcome = await new Promise<{ value: any } | { error: unknown } | Interruption>((resolve) => {
        if (signal?.aborted) return resolve({ interrupted: true, reason: signal.reason })
        const onAbort = () => resolve({ interrupted: true, reason: signal?.reason })
        signal?.addEventListener('abort', onAbort, { once: true })
        work(tx).then(
          (value) => {
            signal?.removeEventListener('abort', onAbort)
            resolve({ value })
          },
          (error) => {
            signal?.removeEventListener('abort', onAbort)
            resolve({ error })
          },
        )
      })
      closed = new Error('The transaction is over: a handler\'s `tx` is closed when the handler returns or is stopped.')
      const rolledBack = async (error: unknown, interrupted: boolean) => {
        const reusable = await rollBack()
        return { end: { end: 'rolled back', error: beginning ?? error, interrupted } as const, reusable }
      }
      if ('interrupted' in outcome) return rolledBack(outcome.reason, true)
      if ('error' in outcome) return rolledBack(outcome.error, false)
      if (unsettled > 0) return rolledBack(new Error('The handler returned before all of its statements were answered: await each of them.'), false)
      if (signal?.aborted) return rolledBack(signal.reason, true)
      if (begun && client.getTransactionStatus?.() === 'I') {
        return rolledBack(new Error('The handler ended its transaction by itself; what it committed is not protected.'), false)
      }
      let last: readonly Statement[] | 'rollback'
      try {
        last = options.last?.(outcome.value) ?? []
      } catch (error) {
        return rolledBack(error, false)
      }
      if (last === 'rollback') {
        const reusable = await rollBack()
        return { end: { end: 'rolled back', error: undefined, interrupted: false }, reusable }
      }
      return commit(outcome.value, last)
    },
  }
}

function beginText({ isolation, readOnly }: Opening): string {
  return `begin${isolation ? ` isolation level ${isolation}` : ''}${readOnly ? ' read only' : ''}`
}

/** BEGIN, COMMIT, END, ABORT, PREPARE TRANSACTION and ROLLBACK (but not ROLLBACK TO a savepoint), behind any comments. */
const transactionControl =
  /^(?:\s|--[^\n]*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b/i

function fatal(error: unknown): boolean {
  const severity = (error as { severity?: unknown }).severity
  return severity === 'FATAL' || severity === 'PANIC'
}

const delay = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))
