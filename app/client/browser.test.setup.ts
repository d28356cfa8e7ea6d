import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { browserStorage } from 'safepoint/client'
import { createPantry, type Pantry } from './pantry.ts'
import type { TabChannel } from './session.ts'

/** One browser: a storage, locks and channels, shared by its tabs. */
export function startBrowser(baseUrl: string) {
  const items = new Map<string, string>()
  const store = {
    get length() {
      return items.size
    },
    key: (index: number) => [...items.keys()][index] ?? null,
    getItem: (name: string) => items.get(name) ?? null,
    setItem: (name: string, value: string) => void items.set(name, value),
    removeItem: (name: string) => void items.delete(name),
  }
  const turns = new Map<string, Promise<unknown>>()
  const exclusively = <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const mine = (turns.get(name) ?? Promise.resolve()).then(work)
    turns.set(
      name,
      mine.catch(() => {}),
    )
    return mine
  }
  const channels = new Map<string, Set<(message: unknown) => void>>()
  const tabs = new Set<Pantry>()

  return {
    store,
    openTab(): Pantry {
      const openTabs = (name: string): TabChannel => {
        const heard = channels.get(name) ?? new Set()
        channels.set(name, heard)
        let own: ((message: unknown) => void) | undefined
        return {
          // As a BroadcastChannel does: a copy, later, to everybody else.
          send(message) {
            const copy: unknown = structuredClone(message)
            setImmediate(() => heard.forEach((listener) => listener !== own && listener(copy)))
          },
          listen: (listener) => void heard.add((own = listener)),
        }
      }
      const tab = createPantry({
        baseUrl,
        store,
        exclusively,
        openTabs,
        client: {
          storage: browserStorage(baseUrl, () => store),
          retry: { tries: 2, baseMs: 5, capMs: 10, longestWaitMs: 1_000 },
        },
      })
      tabs.add(tab)
      return tab
    },
    close: () => tabs.forEach((tab) => tab.live.stop()),
  }
}

export type TestBrowser = ReturnType<typeof startBrowser>

/** What becomes of one exchange on its way. */
export type OnTheWay =
  | 'pass'
  /** The server has answered, and nobody hears it. */
  | 'lose-answer'
  /** 401, as once the access token has ended. */
  | 'refuse'
  /** The answer waits for this. */
  | Promise<void>

export interface Seen {
  readonly method: string
  readonly path: string
  readonly key: string | undefined
  readonly body: string
}

/** Stands between a browser and the server: sees every request, and can lose an answer or let another overtake it. */
export async function startProxy(target: string) {
  const seen: Seen[] = []
  const open = new Map<ServerResponse, Seen>()
  const rule: { onTheWay: (seen: Seen) => OnTheWay } = { onTheWay: () => 'pass' }
  const server = createServer((incoming, outgoing) => void forward(incoming, outgoing).catch(() => outgoing.destroy()))

  async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const one: Seen = {
      method: incoming.method!,
      path: incoming.url!,
      key: incoming.headers['idempotency-key'] as string | undefined,
      body: body.toString(),
    }
    seen.push(one)
    open.set(outgoing, one)
    outgoing.once('close', () => open.delete(outgoing))
    const way = rule.onTheWay(one)
    if (way === 'refuse') {
      const problem = { type: '/errors/unauthenticated', title: 'Log in', status: 401, code: 'unauthenticated' }
      outgoing.writeHead(401, { 'content-type': 'application/problem+json' })
      return void outgoing.end(JSON.stringify({ ...problem, retryable: false }))
    }
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const { host: _, ...headers } = incoming.headers
      const request = send(target + incoming.url!, { method: incoming.method!, headers }, resolve)
      request.once('error', reject)
      outgoing.once('close', () => request.destroy())
      request.end(body)
    })
    if (way === 'lose-answer') {
      answer.resume()
      await new Promise((resolve) => answer.once('end', resolve))
      return void outgoing.destroy()
    }
    if (way instanceof Promise) await way
    outgoing.writeHead(answer.statusCode!, answer.headers)
    answer.pipe(outgoing)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    rule,
    requests: (method: string, path: string | RegExp) =>
      seen.filter(
        (one) => one.method === method && (typeof path === 'string' ? one.path === path : path.test(one.path)),
      ),
    /** Breaks the connections on which such a request is being answered; how many there were. */
    cut(path: RegExp) {
      const cut = [...open].filter(([, one]) => path.test(one.path))
      for (const [answer] of cut) answer.destroy()
      return cut.length
    },
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

export type Proxy = Awaited<ReturnType<typeof startProxy>>
