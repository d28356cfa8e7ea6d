import type { ChildProcess } from 'node:child_process'

/** A running server and the process whose end is its own. */
export interface Attended {
  readonly pid: number
  readonly watch: ChildProcess
}

/**
 * Starts a server again whenever it ends before it is asked to. `again` may fail: it is tried until it does not. What
 * happens is told in sentences.
 */
export function attendServer(
  first: Attended,
  { again, tell }: { readonly again: () => Promise<Attended>; readonly tell: (told: string) => void },
): {
  /** From now on its end is wanted. Resolves with the one that runs, once none is being started. */
  dismiss: () => Promise<Attended>
} {
  let running = first
  let dismissed = false
  let restarting = Promise.resolve()
  const restart = async (): Promise<void> => {
    tell('PostgreSQL has ended unexpectedly; it is started again.')
    while (!dismissed) {
      try {
        running = await again()
        return attend()
      } catch (error) {
        tell((error as Error).message)
        await new Promise((resolve) => setTimeout(resolve, 1000))
      }
    }
  }
  const attend = () => {
    const { watch } = running
    const ended = () => {
      if (!dismissed) restarting = restart()
    }
    if (watch.exitCode !== null || watch.signalCode !== null) ended()
    else watch.once('exit', ended)
  }
  attend()
  return {
    async dismiss() {
      dismissed = true
      await restarting
      return running
    },
  }
}
