import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSession, type Session, type TabChannel } from './session.ts'

/** Rotates refresh tokens without any grace: a token that is presented twice ends the family, as a stolen one would. */
function startAuthServer() {
  const user = { id: 'u1', email: 'asha@example.com', name: 'Asha' }
  let generation = 0
  let live = true
  let away = false
  let held = Promise.resolve()
  let arrived = () => {}
  const loggedOut: string[] = []
  const issue = () => ({ user, accessToken: `access-${++generation}`, refreshToken: `refresh-${generation}` })
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => (text += chunk))
    request.on('end', () => {
      const answer = (status: number, body: unknown) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(body))
      }
      if (away) return answer(503, { code: 'unavailable', title: 'Away', status: 503, retryable: true })
      if (request.url === '/api/auth/login') return answer(200, issue())
      if (request.url === '/api/auth/logout') {
        loggedOut.push((JSON.parse(text) as { refreshToken: string }).refreshToken)
        return answer(200, {})
      }
      const { refreshToken } = JSON.parse(text) as { refreshToken: string }
      arrived()
      live &&= refreshToken === `refresh-${generation}`
      if (live)
        void held.then(
          (
            (issued) => () =>
              answer(200, issued)
          )(issue()),
        )
      else answer(401, { code: 'token_reused', title: 'Token reused', status: 401, retryable: false })
    })
  })
  return new Promise<{
    url: string
    exchanges: () => number
    /** Refresh tokens whose sessions were ended. */
    loggedOut: readonly string[]
    /** Holds the next answers to `refresh`. */
    hold(): { arrived: Promise<void>; release(): void }
    revoke(): void
    goAway(on: boolean): void
    close(): void
  }>((resolve) =>
    server.listen(0, '127.0.0.1', () =>
      resolve({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        exchanges: () => generation,
        loggedOut,
        hold() {
          const [coming, going] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
          arrived = coming.resolve
          held = going.promise
          return { arrived: coming.promise, release: going.resolve }
        },
        revoke: () => (live = false),
        goAway: (on) => (away = on),
        close: () => server.close(),
      }),
    ),
  )
}

/** One browser: a storage, a lock and a channel, shared by its tabs. */
function startBrowser(url: string) {
  const items = new Map<string, string>()
  const store = {
    getItem: (name: string) => items.get(name) ?? null,
    setItem: (name: string, value: string) => void items.set(name, value),
    removeItem: (name: string) => void items.delete(name),
  }
  let turn: Promise<unknown> = Promise.resolve()
  const exclusively = <T>(_name: string, work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work)
    turn = mine.catch(() => {})
    return mine
  }
  const heard: Array<(message: unknown) => void> = []
  const openTab = (): Session => {
    let own: ((message: unknown) => void) | undefined
    const tabs: TabChannel = {
      send: (message) => heard.filter((listener) => listener !== own).forEach((listener) => listener(message)),
      listen: (listener) => void heard.push((own = listener)),
    }
    return createSession({ baseUrl: url, store, exclusively, tabs })
  }
  return { openTab, store }
}

let server: Awaited<ReturnType<typeof startAuthServer>>
beforeEach(async () => {
  server = await startAuthServer()
})
afterEach(() => server.close())

const credentials = { email: 'asha@example.com', password: 'secret' }

describe('A session', () => {
  it('presents each refresh token once, however many tabs and requests meet the expired access token at the same moment', async () => {
    const { openTab } = startBrowser(server.url)
    const tabs = [openTab(), openTab(), openTab()]
    await tabs[0]!.signIn(credentials)
    const renewed = await Promise.all(tabs.flatMap((tab) => [tab.refresh(), tab.refresh()]))
    expect(renewed).toEqual([true, true, true, true, true, true])
    // One log-in and one exchange: the other tabs heard of it.
    expect(server.exchanges()).toBe(2)
    expect(tabs.map((tab) => tab.headers())).toEqual(tabs.map(() => ({ authorization: 'Bearer access-2' })))
  })

  it('is taken up by a new page, whose access token the other tabs use from then on', async () => {
    const { openTab } = startBrowser(server.url)
    const first = openTab()
    await first.signIn(credentials)
    const second = openTab()
    expect(second.state()).toEqual({ status: 'opening' })
    await second.open()
    expect(second.state()).toMatchObject({ status: 'signed-in', user: { id: 'u1' } })
    expect(first.headers()).toEqual(second.headers())
  })

  it('ends in every tab when it is signed out in one', async () => {
    const { openTab, store } = startBrowser(server.url)
    const [first, second] = [openTab(), openTab()]
    await first.signIn(credentials)
    await second.signOut()
    expect([first.state(), second.state()]).toEqual([{ status: 'guest' }, { status: 'guest' }])
    expect(first.headers()).toEqual({})
    expect(store.getItem('pantry:refresh-token')).toBeNull()
  })

  /** A tab whose new token has been asked for and is on its way, until it is released. */
  async function renewing() {
    const { openTab, store } = startBrowser(server.url)
    const tab = openTab()
    await tab.signIn(credentials)
    const answer = server.hold()
    const renewed = tab.refresh()
    await answer.arrived
    return { tab, store, renewed, release: answer.release }
  }

  it('stays signed out, although a new token was on its way, and that one is ended too', async () => {
    const { tab, store, renewed, release } = await renewing()
    const signingOut = tab.signOut()
    release()
    expect(await renewed).toBe(false)
    await signingOut
    expect([tab.state(), tab.headers(), store.getItem('pantry:refresh-token')]).toEqual([{ status: 'guest' }, {}, null])
    expect(server.loggedOut.toSorted()).toEqual(['refresh-1', 'refresh-2'])
  })

  it('of whoever signs in while a token of another is on its way is theirs', async () => {
    const { tab, store, renewed, release } = await renewing()
    await tab.signIn(credentials)
    release()
    const theirs = store.getItem('pantry:refresh-token')
    expect(await renewed).toBe(true)
    expect(store.getItem('pantry:refresh-token')).toBe(theirs)
  })

  it('is over when the server says so, and only then: an unreachable server signs nobody out', async () => {
    const { openTab, store } = startBrowser(server.url)
    const tab = openTab()
    await tab.signIn(credentials)
    server.goAway(true)
    await expect(tab.refresh()).rejects.toThrow('Away')
    expect(tab.state().status).toBe('signed-in')
    server.goAway(false)
    server.revoke()
    expect(await tab.refresh()).toBe(false)
    expect(tab.state()).toEqual({ status: 'guest' })
    expect(store.getItem('pantry:refresh-token')).toBeNull()
  })
})
