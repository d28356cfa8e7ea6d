import { installCartRecovery } from '../../client/cart-recovery.ts'
import { createPantry } from '../../client/pantry.ts'

/** The pages' one connection to the shop. Only files of this folder use it. */
export const pantry = createPantry({
  baseUrl: '',
  store: localStorage,
  // Web Locks exist in secure contexts only; without them tabs take turns by luck, and the server's grace covers the rest.
  exclusively: (name, work) =>
    navigator.locks ? (navigator.locks.request(name, work) as ReturnType<typeof work>) : work(),
  openTabs(name) {
    const channel = new BroadcastChannel(name)
    return {
      send: (message) => channel.postMessage(message),
      listen: (listener) => channel.addEventListener('message', ({ data }) => listener(data)),
    }
  },
  // `localStorage.setItem('pantry:debug', 'on')`, and each step of each write is in the console (level "Verbose").
  client: { debug: localStorage.getItem('pantry:debug') === 'on' },
})

installCartRecovery(window, pantry)

// What could not be sent is sent now, under the keys it was kept with.
addEventListener('online', () => {
  if (pantry.account() === undefined) return
  void pantry
    .resume({ recall: false })
    .then(() => pantry.cart.getCart(true))
    .catch(() => {})
})

addEventListener('pagehide', () => {
  pantry.cart.leave()
  pantry.live.stop()
})
addEventListener('pageshow', ({ persisted }) => {
  if (persisted && pantry.account() !== undefined) pantry.live.start()
})
