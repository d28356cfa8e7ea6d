import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { now, type Call } from './call-log.ts'
import { control, type Controlled } from './control.ts'
import type { Fault, FaultKind, FaultOf, Point } from './faults.ts'
import type { KeptState } from './keep-state.ts'

const bodyLimit = 1024 * 1024

export interface Request {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** One API call on its way through a simulator. */
export interface Exchange extends Request {
  readonly call: Call
  readonly fault: <K extends FaultKind>(kind: K) => FaultOf<K> | undefined
  /** Every vendor calls it with `begun` once the call's key is taken; the other points are the server's. */
  readonly reach: (point: Point) => Promise<void>
  /** Runs when the answer has left, or the connection has gone. */
  readonly afterwards: (work: () => void) => void
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
  /** Milliseconds for which the vendor keeps its client waiting for it. */
  readonly late?: number
}

export interface Vendor extends Controlled {
  /** Paths with this prefix are API calls: logged, and subject to faults. */
  readonly apiPrefix: string
  /** The idempotency key and the flat parameters, for the log and for matching faults. */
  readonly describe: (request: Request) => Pick<Call, 'key' | 'params'>
  readonly api: (exchange: Exchange) => Promise<Answer>
  /** Everything else: hosted pages. */
  readonly page: (request: Request) => Promise<Answer>
}

export interface ServerOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number | undefined
  readonly host?: string
  /** Told of each request that may have changed something, and closed with the server. */
  readonly kept?: Pick<KeptState, 'changed' | 'close'>
}

export interface RunningServer {
  readonly url: string
  /** Lets go of held calls, cuts every connection, stops deliveries. */
  close(): Promise<void>
}

interface Served {
  readonly closing: AbortSignal
  readonly changed: () => void
}

/** Thrown through a vendor's handler: the connection is cut without an answer. */
const dropped = new Error('the connection was cut by a fault')

/**
 * The HTTP side that all simulators share. A client that goes away stops nothing: what has arrived is executed, and
 * only the answer is lost, as at any real vendor.
 */
export async function startSimulatorServer(
  makeVendor: (url: string) => Vendor,
  { port = 0, host = '127.0.0.1', kept }: ServerOptions = {},
): Promise<RunningServer> {
  const closing = new AbortController()
  const server = createServer({ keepAliveTimeout: 65_000 })
  server.listen(port, host)
  await once(server, 'listening')
  const url = `http://${host}:${(server.address() as AddressInfo).port}`
  const vendor = makeVendor(url)
  server.on('request', (request, response) => {
    serve(vendor, request, response, { closing: closing.signal, changed: () => kept?.changed() }).catch(
      (defect: unknown) => {
        // A defect of the simulator must not look like a fault that somebody ordered.
        process.stderr.write(
          `simulator: ${request.method} ${request.url}: ${defect instanceof Error ? defect.stack : String(defect)}\n`,
        )
        if (response.headersSent) response.destroy()
        else
          response.writeHead(500, json).end(JSON.stringify({ error: { type: 'api_error', code: 'simulator_defect' } }))
      },
    )
  })
  return {
    url,
    async close() {
      closing.abort(new Error('the simulator is closing'))
      vendor.faults.clear()
      vendor.webhooks.clear()
      await new Promise((resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      })
      kept?.close()
    },
  }
}

async function serve(
  vendor: Vendor,
  incoming: IncomingMessage,
  response: ServerResponse,
  served: Served,
): Promise<void> {
  const arrivedAt = now()
  const body = await read(incoming)
  if (body === undefined) {
    // Gone before it had said everything, or said too much: nothing was received, so there is nothing to log.
    if (!response.destroyed) await send(response, { status: 413, headers: { connection: 'close' }, body: '' })
    return
  }
  const method = incoming.method ?? 'GET'
  const request: Request = {
    method,
    url: new URL(incoming.url ?? '/', 'http://simulator'),
    headers: incoming.headers,
    body,
  }
  const path = request.url.pathname
  if (path.startsWith('/_control/')) {
    const answer = await control(vendor, method, request.url, body)
    if (method !== 'GET') served.changed()
    await send(response, { status: answer.status, headers: json, body: JSON.stringify(answer.body) })
    return
  }
  if (!path.startsWith(vendor.apiPrefix)) {
    const answer = await vendor.page(request)
    served.changed()
    await send(response, answer)
    return
  }
  const call = vendor.calls.open({ method, path, arrivedAt, ...vendor.describe(request) })
  await exchange(vendor, request, call, response, served)
}

const json = { 'content-type': 'application/json' }

async function exchange(
  vendor: Vendor,
  request: Request,
  call: Call,
  response: ServerResponse,
  { closing, changed }: Served,
): Promise<void> {
  const taken = vendor.faults.take(call)
  const { faults } = taken
  const afterwards: (() => void)[] = []
  const runAfterwards = () => {
    for (const work of afterwards.splice(0)) work()
  }
  let gone = false
  const left = new AbortController()
  // Also while the answer is held back: the vendor's events do not wait for a client that has died.
  response.once('close', () => {
    gone = !response.writableFinished
    if (gone) left.abort()
    // A connection that a fault has cut was not left by its client.
    if (gone && call.outcome === 'pending') vendor.calls.abort(call)
    runAfterwards()
  })
  const applied = (fault: Fault) => {
    call.faults.push(fault.kind)
  }
  const reach = async (point: Point) => {
    for (const fault of faults) {
      if (fault.kind === 'drop' && fault.at === point) {
        applied(fault)
        throw dropped
      }
      if (fault.kind === 'delay' && fault.at === point) {
        applied(fault)
        await sleep(fault.ms, undefined, { signal: closing }).catch(() => {})
      }
      if (fault.kind === 'hang' && fault.at === point) {
        applied(fault)
        await taken.hold()
      }
    }
  }
  const fault = <K extends FaultKind>(kind: K): FaultOf<K> | undefined => {
    const found = faults.find((one): one is FaultOf<K> => one.kind === kind)
    if (found && !call.faults.includes(kind)) applied(found)
    return found
  }

  try {
    await reach('arrived')
    const answer = await vendor
      .api({ ...request, call, fault, reach, afterwards: (work) => afterwards.push(work) })
      .finally(() => request.method !== 'GET' && changed())
    if (gone) runAfterwards()
    await reach('executed')
    if (answer.late !== undefined)
      await sleep(answer.late, undefined, { signal: AbortSignal.any([closing, left.signal]) }).catch(() => {})
    if (!gone) await send(response, answer)
    vendor.calls.close(call, call.aborted ? 'aborted' : 'answered', answer.status)
  } catch (thrown) {
    if (thrown !== dropped) {
      vendor.calls.close(call, 'answered', 500)
      throw thrown
    }
    vendor.calls.close(call, 'dropped', null)
    response.destroy()
  } finally {
    runAfterwards()
  }
}

async function read(incoming: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of incoming) {
      size += (chunk as Buffer).length
      if (size > bodyLimit) return undefined
      chunks.push(chunk as Buffer)
    }
  } catch {
    return undefined
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Resolves when the answer has been handed to the network or the client has gone. */
function send(response: ServerResponse, answer: Answer): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve()
    response.once('close', resolve)
    response.once('finish', resolve)
    response.writeHead(answer.status, answer.headers)
    response.end(answer.body)
  })
}
