import type { Result } from '../database.ts'
import type { PgClient, PgDriver, WireStatement } from './pg-driver.ts'

/**
 * Sends statements that leave together, and settles once all of them are answered: with the first error, and the results of
 * those that came to their end.
 *
 * Once the connection knows the named ones they travel behind one Sync: one packet to send, one to wake up for, and after an
 * error the server skips the rest. Before that `pg` sends each with a Sync of its own (it keeps the books of what is prepared),
 * and then each waits for the one before it: behind a BEGIN that failed (a query-cancel request hit it), with a Sync between
 * them, a statement would commit by itself.
 *
 * After `silence` milliseconds without an answer the connection is given up, and the error carries no SQLSTATE.
 */
export function sendFlight(
  driver: PgDriver,
  client: PgClient,
  statements: readonly WireStatement[],
  settle: (error: Error | undefined, results: Result[]) => void,
  silence?: number,
): void {
  const { connection } = client
  const known = connection?.parsedStatements
  if (
    driver.Query &&
    connection &&
    known &&
    statements.every(({ name, text }) => name === undefined || known[name] === text)
  ) {
    sendBehindOneSync(driver.Query, client, connection, statements, settle, silence)
  } else {
    sendOneByOne(client, statements, settle, silence)
  }
}

function sendOneByOne(
  client: PgClient,
  [statement, ...rest]: readonly WireStatement[],
  settle: (error: Error | undefined, results: Result[]) => void,
  silence: number | undefined,
  results: Result[] = [],
): void {
  if (!statement) return settle(undefined, results)
  client.query(silence === undefined ? statement : { ...statement, query_timeout: silence }, (error, result) => {
    if (error) settle(error, results)
    else sendOneByOne(client, rest, settle, silence, [...results, result])
  })
}

type Connection = NonNullable<PgClient['connection']>
type QueryClass = NonNullable<PgDriver['Query']>

function sendBehindOneSync(
  Query: QueryClass,
  client: PgClient,
  connection: Connection,
  statements: readonly WireStatement[],
  settle: (error: Error | undefined, results: Result[]) => void,
  silence: number | undefined,
): void {
  // What cannot be sent of one statement (a value that has no text) must keep the COMMIT behind it from being sent.
  let unsendable: Error | undefined
  const flight = new Query('', undefined, (error, results) => {
    if (error || unsendable)
      settle(
        unsendable ?? error ?? undefined,
        [flight._results].flat().filter((result: Result) => result.command),
      )
    else settle(undefined, Array.isArray(results) ? results : [results])
  })
  flight.submit = () => {
    const packet = packetOf(connection)
    for (const { name, text, values, silent } of statements) {
      packet.silent = silent === true
      const one = new Query(text, values, (error) => (unsendable ??= error ?? undefined))
      // Given as an option it would be copied by descriptors, which is the costliest thing `pg` does for a statement.
      one.name = name
      one.prepare(packet)
      if (unsendable) break
    }
    packet.messages.push(syncMessage)
    connection.stream?.write?.(Buffer.concat(packet.messages))
    packet.messages.length = 0
    return null
  }
  if (silence !== undefined) flight.query_timeout = silence
  client.query(flight, undefined as never)
}

/**
 * A connection to prepare statements on that sends nothing: it gathers their messages, without the Sync behind each. `pg`'s own
 * methods write them. A class rather than an object derived from the connection: with a live object as prototype every
 * connection had a shape of its own, and each operation paid some 40 µs for it.
 */
class Packet {
  readonly messages: Uint8Array[] = []
  /** The statement being written answers no rows, so nobody asks what they look like. */
  silent = false
  readonly parsedStatements: unknown
  readonly submittedNamedStatements: unknown
  readonly #real: Connection

  constructor(real: Connection) {
    this.#real = real
    this.parsedStatements = real.parsedStatements
    this.submittedNamedStatements = real.submittedNamedStatements
  }

  _send(message: Uint8Array): void {
    this.messages.push(message)
  }
  parse(what: object): void {
    this.#real.parse.call(this, what)
  }
  bind(what: object): void {
    this.#real.bind.call(this, what)
  }
  describe(what: object): void {
    if (!this.silent) this.#real.describe.call(this, what)
  }
  execute(what: object): void {
    this.#real.execute.call(this, what)
  }
  close(what: object): void {
    this.#real.close.call(this, what)
  }
  sync(): void {}
}

const packets = new WeakMap<Connection, Packet>()
const syncMessage = Buffer.from([0x53, 0, 0, 0, 4])

function packetOf(real: Connection): Packet {
  let packet = packets.get(real)
  if (!packet) packets.set(real, (packet = new Packet(real)))
  return packet
}
