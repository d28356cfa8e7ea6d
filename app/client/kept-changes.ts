import type { Client } from 'safepoint/client'
import { isCartRequest } from './cart-source.ts'
import { NotDone } from './not-done.ts'

/** Changes of a cart that had no answer: the client keeps their requests, and here they are sent again until each has its end. */
export interface KeptChanges {
  /** One more has ended so. */
  expect(): void
  /** Sends them now, under their own keys; resolves to how many were sent. */
  takeUp(): Promise<number>
  /** Somebody else has signed in. */
  forget(): void
}

export interface KeptChangesOptions {
  readonly client: Pick<Client, 'resume'>
  /** Each has its end; `refused`: the last one that did not succeed. */
  readonly ended: (refused: NotDone | undefined) => void
  /** Their time has come: calls `takeUp`, and reads the cart afterwards. */
  readonly due: () => void
  /** Milliseconds before the first try; the wait doubles, up to a minute. */
  readonly after: number
}

export function createKeptChanges({ client, ended, due, after }: KeptChangesOptions): KeptChanges {
  let timer: ReturnType<typeof setTimeout> | undefined
  let tries = 0

  function rest(): void {
    clearTimeout(timer)
    timer = undefined
  }
  function expect(): void {
    timer ??= setTimeout(due, Math.min(after * 2 ** tries++, 60_000))
  }

  return {
    expect,
    async takeUp() {
      rest()
      const verdicts = await client.resume({ only: isCartRequest })
      if (verdicts.some(({ outcome }) => outcome === 'unknown')) expect()
      else {
        tries = 0
        const refused = verdicts.findLast((verdict) => 'problem' in verdict)
        ended(refused && new NotDone(refused))
      }
      return verdicts.length
    },
    forget() {
      rest()
      tries = 0
    },
  }
}
