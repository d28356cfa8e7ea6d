import type { PgClient, PgDriver } from './pg-driver.ts'
import type { Description } from './pg-rows.ts'

export type Connection = NonNullable<PgClient['connection']>
export type QueryClass = NonNullable<PgDriver['Query']>

/**
 * A connection to write messages on that sends nothing until it is told to: `pg`'s own methods write them, without the Sync
 * behind each. A class rather than an object derived from the connection: with a live object as prototype every connection had a
 * shape of its own, and each operation paid some 40 µs for it.
 */
export class Packet {
  /** What the rows of a prepared statement look like; null: it has none. It never changes, so that it is asked for once. */
  readonly descriptions = new Map<string, Description | null>()
  unnamed: Description | null = null
  readonly #messages: Uint8Array[] = []
  readonly #real: Connection

  constructor(real: Connection) {
    this.#real = real
  }

  _send(message: Uint8Array): void {
    this.#messages.push(message)
  }
  parse(what: object): void {
    this.#real.parse.call(this, what)
  }
  bind(what: object): void {
    this.#real.bind.call(this, what)
  }
  describe(what: object): void {
    this.#real.describe.call(this, what)
  }
  execute(what: object): void {
    this.#real.execute.call(this, what)
  }
  /** BEGIN, COMMIT and their like, which have no values and answer no rows: written once, and the same bytes ever after. */
  executeBare(name: string): void {
    let bytes = bareStatements.get(name)
    if (!bytes) {
      const before = this.#messages.splice(0)
      this.bind({ portal: '', statement: name })
      this.execute({ portal: '' })
      bytes = Buffer.concat(this.#messages.splice(0))
      this.#messages.push(...before)
      bareStatements.set(name, bytes)
    }
    this.#messages.push(bytes)
  }
  /** What comes before is answered at once, though the Sync is still to come. */
  flush(): void {
    this.#messages.push(flushMessage)
  }
  /** All of it in one write, behind one Sync. */
  send(): void {
    this.#messages.push(syncMessage)
    this.#real.stream?.write?.(Buffer.concat(this.#messages))
    this.#messages.length = 0
  }
}

/** By name: the same bytes on every connection. */
const bareStatements = new Map<string, Uint8Array>()
const packets = new WeakMap<Connection, Packet>()
const syncMessage = Buffer.from([0x53, 0, 0, 0, 4])
const flushMessage = Buffer.from([0x48, 0, 0, 0, 4])

export function packetOf(real: Connection): Packet {
  let packet = packets.get(real)
  if (!packet) packets.set(real, (packet = new Packet(real)))
  return packet
}

/** How `pg` makes text of values; it shows it to nobody but a connection. */
export function valueMapperOf(Query: QueryClass): unknown {
  let found: unknown
  const nothing = () => {}
  const probe = new Query('', [], nothing)
  probe.prepare({
    parsedStatements: {},
    submittedNamedStatements: {},
    parse: nothing,
    bind: ({ valueMapper }: { valueMapper: unknown }) => void (found = valueMapper),
    describe: nothing,
    execute: nothing,
    sync: nothing,
    close: nothing,
  })
  return found
}
