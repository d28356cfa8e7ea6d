import net from 'node:net'

/** A moment between two statements of a process: right before the nth one of a name is passed on, or right after the server has executed it. */
export interface StatementPoint {
  readonly statement: string
  readonly nth: number
  readonly when: 'before' | 'after'
}

/** The way of one connection. */
interface Link {
  /** The client's `application_name`. */
  name: string
  startedUp: boolean
  fromClient: Buffer
  fromServer: Buffer
  /** The messages of the statement that is just arriving. */
  unit: Buffer[]
  label: string | undefined
  /** Executed and synchronised, as far as sent; and as far as answered. */
  readonly sent: { executes: number; syncs: number }
  readonly answered: { executes: number; syncs: number }
  /** The statement in question was passed on; what comes next tells how to learn that it was executed. */
  passedOn: boolean
  /** Until this is answered. */
  awaited: { readonly executes: number; readonly syncs: number } | undefined
}

const flush = Buffer.from([0x48, 0, 0, 0, 4])

/**
 * A proxy before PostgreSQL that reads the frontend/backend protocol 3 and knows each statement of the connections named
 * `observed` by its name (https://www.postgresql.org/docs/current/protocol-message-formats.html). At an armed point it stops
 * passing on anything in either direction: several statements may leave a process in one packet, behind one Sync, and the
 * server then executes them up to the point and no further.
 */
export async function startStatementProxy(target: string, observed: readonly string[]) {
  const destination = new URL(target)
  const sockets = new Set<net.Socket>()
  let recording: Array<{ statement: string; nth: number }> | undefined
  let counts = new Map<string, number>()
  let armed: (StatementPoint & { reach(): void }) | undefined
  let frozen = false

  const reach = () => {
    frozen = true
    armed?.reach()
    armed = undefined
  }

  /** Counts a statement, and says whether it is the one in question. */
  const count = (label: string): 'before' | 'after' | undefined => {
    const nth = (counts.get(label) ?? 0) + 1
    counts.set(label, nth)
    recording?.push({ statement: label, nth })
    return armed?.statement === label && armed.nth === nth ? armed.when : undefined
  }

  const server = net.createServer({ noDelay: true }, (client) => {
    const upstream = net.connect({ host: destination.hostname, port: Number(destination.port), noDelay: true })
    const link = newLink()
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (bytes) => {
      link.fromClient = Buffer.concat([link.fromClient, bytes])
      const out: Buffer[] = []
      for (let message = takeMessage(link, 'fromClient'); message && !frozen; message = takeMessage(link, 'fromClient'))
        takeFromClient(link, message, out)
      if (out.length > 0) upstream.write(Buffer.concat(out))
    })
    upstream.on('data', (bytes) => {
      if (frozen) return
      link.fromServer = Buffer.concat([link.fromServer, bytes])
      for (let message = takeMessage(link, 'fromServer'); message; message = takeMessage(link, 'fromServer')) {
        const type = typeOf(message)
        if (type === 'Z') link.answered.syncs++
        // CommandComplete, EmptyQueryResponse, or an error, after which the server skips the rest.
        if (type === 'C' || type === 'I' || type === 'E') link.answered.executes++
        const { awaited, answered } = link
        if (awaited && (answered.syncs >= awaited.syncs || answered.executes >= awaited.executes)) return reach()
      }
      if (!link.awaited && !link.passedOn) client.write(bytes)
    })
  })

  function takeFromClient(link: Link, message: Buffer, out: Buffer[]): void {
    if (!link.startedUp) {
      link.startedUp = true
      link.name = startupName(message)
      out.push(message)
      return
    }
    if (link.awaited) return
    const type = typeOf(message)
    if (link.passedOn) {
      const { sent } = link
      if (type === 'S') out.push(message)
      else out.push(flush)
      link.awaited =
        type === 'S' ? { syncs: sent.syncs + 1, executes: Infinity } : { syncs: Infinity, executes: sent.executes }
      return
    }
    if (type === 'P') link.label = nameIn(message, 5) || textIn(message)
    if (type === 'B') link.label = nameIn(message, message.indexOf(0, 5) + 1) || link.label
    if (type === 'Q') link.label = message.toString('utf8', 5, message.length - 1)
    const whole = type !== 'P' && type !== 'B' && type !== 'D'
    link.unit.push(message)
    if (!whole) return
    const unit = link.unit
    link.unit = []
    if ((type === 'E' || type === 'Q') && observed.includes(link.name)) {
      const point = count(link.label ?? '')
      if (point === 'before') return reach()
      if (point === 'after' && type === 'E') link.passedOn = true
      if (point === 'after' && type === 'Q') link.awaited = { syncs: link.sent.syncs + 1, executes: Infinity }
    }
    if (type === 'E') link.sent.executes++
    if (type === 'S' || type === 'Q') link.sent.syncs++
    if (type === 'Q') link.sent.executes++
    out.push(...unit)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const through = new URL(target)
  through.hostname = '127.0.0.1'
  through.port = String((server.address() as net.AddressInfo).port)
  return {
    /** The given URL, through the proxy. */
    url: through.href,
    /** Counts from the beginning, and writes down each statement from now on. */
    record() {
      counts = new Map()
      return (recording = [] as Array<{ statement: string; nth: number }>)
    },
    /** Counts from the beginning; resolves when the point is reached and nothing is passed on any more. */
    arm(point: StatementPoint): Promise<void> {
      counts = new Map()
      recording = undefined
      return new Promise((resolve) => (armed = { ...point, reach: resolve }))
    },
    /** Breaks what stands; new connections are passed on. */
    restore() {
      armed = undefined
      for (const socket of sockets) socket.destroy()
      frozen = false
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export type StatementProxy = Awaited<ReturnType<typeof startStatementProxy>>

const newLink = (): Link => ({
  name: '',
  startedUp: false,
  fromClient: Buffer.alloc(0),
  fromServer: Buffer.alloc(0),
  unit: [],
  label: undefined,
  sent: { executes: 0, syncs: 1 },
  answered: { executes: 0, syncs: 0 },
  passedOn: false,
  awaited: undefined,
})

const typeOf = (message: Buffer) => String.fromCharCode(message[0]!)

/** The next whole message; the first one of a client has a length and no type. */
function takeMessage(link: Link, side: 'fromClient' | 'fromServer'): Buffer | undefined {
  const bytes = link[side]
  const head = side === 'fromClient' && !link.startedUp ? 0 : 1
  if (bytes.length < head + 4) return undefined
  const end = head + bytes.readInt32BE(head)
  if (bytes.length < end) return undefined
  link[side] = bytes.subarray(end)
  return bytes.subarray(0, end)
}

const nameIn = (message: Buffer, from: number): string => message.toString('utf8', from, message.indexOf(0, from))

/** Of a statement without a name: how its text begins. */
const textIn = (message: Buffer): string =>
  nameIn(message, message.indexOf(0, 5) + 1)
    .trim()
    .split(/\s+/)
    .slice(0, 4)
    .join(' ')

function startupName(message: Buffer): string {
  const parameters = message.toString('utf8', 8).split('\0')
  const at = parameters.indexOf('application_name')
  return at < 0 ? '' : parameters[at + 1]!
}
