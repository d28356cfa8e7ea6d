import type { CartEdit } from './cart-edits.ts'
import type { Cart } from './model.ts'

export interface CartWritesOptions {
  /** Sends one change. Rejects where it did not succeed. */
  readonly send: (edit: CartEdit) => Promise<Cart>
  /** An answer, in the same tick as its change leaves `edits`, so that nothing is shown twice or not at all between the two. */
  readonly answered: (cart: Cart) => void
  readonly changed: () => void
  /** The last of a burst has ended; with why those failed that did. */
  readonly rested: (errors: readonly unknown[]) => void
}

/** Changes that were asked for and not answered, in order: what is shown is the cart with all of them in it. */
export interface CartWrites {
  edits(): readonly CartEdit[]
  /** Resolves with the cart that the server answered. */
  add(edit: CartEdit): Promise<Cart>
  /** Sends what waits at once, so that its keys are kept before the page goes. */
  flush(): void
}

interface Write {
  edit: CartEdit
  sent: boolean
  /** Whoever asked for it, or for a change of the same line that it has taken the place of. */
  readonly heard: Array<{ readonly resolve: (cart: Cart) => void; readonly reject: (error: unknown) => void }>
}

/**
 * One at a time: each answer is then newer than the one before, and holds no change that is still shown on top of it. Taps
 * on one line that come faster than the answers are sent as the last of them.
 */
export function createCartWrites({ send, answered, changed, rested }: CartWritesOptions): CartWrites {
  let writes: readonly Write[] = []
  let errors: readonly unknown[] = []

  async function settle(write: Write): Promise<void> {
    write.sent = true
    const sending = send(write.edit)
    const ended = await sending.then(
      (cart) => ({ cart }),
      (error: unknown) => ({ error }),
    )
    writes = writes.filter((one) => one !== write)
    if ('cart' in ended) answered(ended.cart)
    else errors = [...errors, ended.error]
    changed()
    for (const { resolve, reject } of write.heard) {
      if ('cart' in ended) resolve(ended.cart)
      else reject(ended.error)
    }
    const [next] = writes
    if (next !== undefined) {
      if (!next.sent) void settle(next)
      return
    }
    const failed = errors
    errors = []
    rested(failed)
  }

  return {
    edits: () => writes.map(({ edit }) => edit),
    add(edit) {
      const last = writes.at(-1)
      if (last !== undefined && !last.sent && edit.kind === 'set' && last.edit.kind === 'set') {
        if (last.edit.itemId === edit.itemId) {
          last.edit = edit
          changed()
          return new Promise((resolve, reject) => last.heard.push({ resolve, reject }))
        }
      }
      return new Promise((resolve, reject) => {
        const write: Write = { edit, sent: false, heard: [{ resolve, reject }] }
        writes = [...writes, write]
        changed()
        if (writes.length === 1) void settle(write)
      })
    },
    flush() {
      for (const write of writes) if (!write.sent) void settle(write)
    },
  }
}
