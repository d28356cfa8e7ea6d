import type { Result } from '../database.ts'
import type { PgClient, PgDriver, WireStatement } from './pg-driver.ts'
import type { SilenceWatch } from './pg-silence.ts'
import { packetOf, valueMapperOf, type Connection, type Packet, type QueryClass } from './pg-packet.ts'
import { parseTag, readRow, type Description, type Parsers } from './pg-rows.ts'

type Settle = (error: Error | undefined, results: Result[]) => void

/**
 * Sends statements that leave together, and settles once all of them are answered: with the first error, and the results of
 * those that came to their end.
 *
 * Once the connection knows the named ones they travel behind one Sync: one packet to send, one to wake up for, and after an
 * error the server skips the rest. Before that `pg` sends each with a Sync of its own (it keeps the books of what is prepared),
 * and then each waits for the one before it: behind a BEGIN that failed (a query-cancel request hit it), with a Sync between
 * them, a statement would commit by itself.
 *
 * With `silence`, a server that answers nothing is not waited for: the connection is given up, and the error carries no SQLSTATE.
 * The results that it returns are still coming in.
 */
export function sendFlight(
  driver: PgDriver,
  client: PgClient,
  statements: readonly WireStatement[],
  settle: Settle,
  silence?: SilenceWatch,
): readonly Result[] {
  if (silence) {
    const answered = silence.expectAnswer(client)
    const tell = settle
    settle = (error, results) => {
      answered()
      tell(error, results)
    }
  }
  const results: Result[] = []
  const { connection } = client
  const known = connection?.parsedStatements
  if (
    driver.Query &&
    connection &&
    known &&
    statements.every(({ name, text }) => name === undefined || known[name] === text)
  ) {
    const { Flight } = flightKinds.get(driver.Query) ?? flightKind(driver.Query)
    client.query(new Flight(statements, settle, results), undefined as never)
  } else {
    sendOneByOne(client, statements, settle, results)
  }
  return results
}

function sendOneByOne(
  client: PgClient,
  [statement, ...rest]: readonly WireStatement[],
  settle: Settle,
  results: Result[],
): void {
  if (!statement) return settle(undefined, results)
  client.query(statement, (error, result) => {
    if (error) return settle(error, results)
    results.push(result)
    sendOneByOne(client, rest, settle, results)
  })
}

type FlightClass = new (statements: readonly WireStatement[], settle: Settle, results: Result[]) => object

const flightKinds = new WeakMap<QueryClass, { readonly Flight: FlightClass }>()

/** `pg` takes nothing but its own queries on a pipelined connection: a flight is one of them. */
function flightKind(Query: QueryClass): { readonly Flight: FlightClass } {
  const valueMapper = valueMapperOf(Query)

  class Flight extends Query {
    readonly #statements: readonly WireStatement[]
    readonly #results: Result[]
    #rows: unknown[] = []
    #packet: Packet | undefined
    /** What cannot be sent of one statement (a value that has no text) must keep the COMMIT behind it from being sent. */
    #unsendable: Error | undefined

    constructor(statements: readonly WireStatement[], settle: Settle, results: Result[]) {
      super('', undefined, (error: Error | null) => settle(this.#unsendable ?? error ?? undefined, results))
      this.#statements = statements
      this.#results = results
    }

    submit(connection: Connection): null {
      const packet = (this.#packet = packetOf(connection))
      for (const { name, text, values, silent, flush } of this.#statements) {
        if (silent && name !== undefined && !values?.length) {
          packet.executeBare(name)
          continue
        }
        if (name === undefined) packet.parse({ text })
        try {
          packet.bind({ portal: '', statement: name, values, valueMapper })
        } catch (error) {
          this.#unsendable = error as Error
          break
        }
        if (!silent && (name === undefined || !packet.descriptions.has(name))) packet.describe({ type: 'P', name: '' })
        packet.execute({ portal: '' })
        if (flush) packet.flush()
      }
      packet.send()
      return null
    }

    handleRowDescription({ fields }: { fields: ReadonlyArray<{ name: string; dataTypeID: number }> }): void {
      const types: Parsers = this._result._types
      this.#describe({
        names: fields.map((field) => field.name),
        parsers: fields.map((field) => types.getTypeParser(field.dataTypeID, 'text')),
      })
    }

    handleDataRow({ fields }: { fields: ReadonlyArray<string | null> }): void {
      if (this._canceledDueToError) return
      const { name } = this.#statements[this.#results.length]!
      const description = name === undefined ? this.#packet!.unnamed : this.#packet!.descriptions.get(name)
      if (!description) return
      try {
        this.#rows.push(readRow(description, fields))
      } catch (error) {
        this._canceledDueToError = error
      }
    }

    handleCommandComplete({ text }: { text: string }): void {
      const statement = this.#statements[this.#results.length]!
      // It was asked what its rows look like, and it has none.
      if (statement.name !== undefined && !statement.silent && !this.#packet!.descriptions.has(statement.name))
        this.#describe(null)
      this.#results.push({ ...parseTag(text), rows: this.#rows as Result['rows'] })
      this.#rows = []
    }

    handleEmptyQuery(): void {
      this.#results.push({ command: '', rowCount: 0, rows: [] })
    }

    #describe(description: Description | null): void {
      const { name } = this.#statements[this.#results.length]!
      if (name === undefined) this.#packet!.unnamed = description
      else this.#packet!.descriptions.set(name, description)
    }
  }

  const kind = { Flight }
  flightKinds.set(Query, kind)
  return kind
}
