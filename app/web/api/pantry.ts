import { createPantry } from '../../client/pantry.ts'

const channel = new BroadcastChannel('pantry:session')

/** The pages' one connection to the shop. Only files of this folder use it. */
export const pantry = createPantry({
  baseUrl: '',
  store: localStorage,
  // Web Locks exist in secure contexts only; without them tabs take turns by luck, and the server's grace covers the rest.
  exclusively: (name, work) =>
    navigator.locks ? (navigator.locks.request(name, work) as ReturnType<typeof work>) : work(),
  tabs: {
    send: (message) => channel.postMessage(message),
    listen: (listener) => channel.addEventListener('message', ({ data }) => listener(data)),
  },
})
