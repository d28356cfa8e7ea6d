import { until } from '../../../safepoint/test/support/until.ts'
import { startBrowser, startProxy, type Proxy, type TestBrowser } from '../../client/browser.test.setup.ts'
import type { Pantry } from '../../client/pantry.ts'
import { problemOf } from '../../client/problem-of.ts'
import type { Account } from './shoppers.ts'
import { waitTurn } from './wait-turn.ts'

/** A browser with a page of the shop, and what can be seen of it on the wire. */
export interface Device {
  readonly browser: TestBrowser
  readonly tab: Pantry
  /** Everything goes through it; it can lose an answer. */
  readonly proxy: Proxy
}

/** Pages as customers have them: the shop's own client, over HTTP. */
export interface Devices {
  /** Nobody has signed in. */
  open(url: string): Promise<Device>
  close(): Promise<void>
}

export function createDevices(): Devices {
  let opened: Device[] = []
  return {
    async open(url) {
      const proxy = await startProxy(url)
      const browser = startBrowser(proxy.url)
      const device = { browser, proxy, tab: browser.openTab() }
      opened.push(device)
      return device
    },
    async close() {
      const all = opened
      opened = []
      for (const { browser, tab, proxy } of all) {
        browser.close()
        // Else its timer waits for longer than anybody else.
        await tab.figures.flush()
        await proxy.close()
      }
    },
  }
}

export async function signIn(tab: Pantry, { email, password }: Account): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await tab.session.signIn({ email, password })
      break
    } catch (error) {
      const problem = problemOf(error)
      if (problem?.status !== 429 || tries === 3) throw error
      await waitTurn(problem)
    }
  }
  await until(() => tab.cart.state().status === 'ready', { message: 'the page shows the cart' })
}
