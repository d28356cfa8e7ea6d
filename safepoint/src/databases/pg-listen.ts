import type { Subscription } from '../database.ts'
import type { PgClient } from './pg-driver.ts'

/**
 * LISTEN on a connection of its own, again and again: `pg` gives up when its connection breaks. Nothing is ever sent on one that
 * only listens, so that a peer which has gone without a goodbye would not be missed for hours: every `pulse` milliseconds it is
 * asked, and one that has not answered by the next time is given up.
 */
export async function listenWith(
  makeClient: () => PgClient,
  channel: string,
  pulse: number,
  onMessage: (payload: string) => void,
  onState: (state: 'listening' | 'lost') => void = () => {},
): Promise<Subscription> {
  let closed = false
  let current: PgClient | undefined
  let again: ReturnType<typeof setTimeout> | undefined
  let failures = 0

  const attempt = async (): Promise<void> => {
    const client = makeClient()
    current = client
    let over = false
    let beating: ReturnType<typeof setInterval> | undefined
    const lose = () => {
      if (over) return
      over = true
      clearInterval(beating)
      onState('lost')
      client.end().catch(() => undefined)
      if (closed) return
      const wait = Math.min(5000, 50 * 2 ** Math.min(failures++, 7)) * (0.5 + Math.random() / 2)
      again = setTimeout(() => void attempt(), wait)
    }
    client.on('error', lose)
    client.on('end', lose)
    client.on('notification', (message: { payload?: string }) => onMessage(message.payload ?? ''))
    const ask = (text: string) =>
      new Promise<void>((resolve, reject) => client.query({ text }, (error) => (error ? reject(error) : resolve())))
    try {
      await client.connect()
      if (over) return
      let answered = false
      beating = setInterval(() => {
        if (!answered) {
          client.connection?.stream?.destroy?.()
          return lose()
        }
        answered = false
        ask('select 1').then(() => (answered = true), lose)
      }, pulse)
      beating.unref?.()
      await ask(`listen "${channel.replaceAll('"', '""')}"`)
      answered = true
      failures = 0
      if (!over) onState('listening')
    } catch {
      lose()
    }
  }
  await attempt()
  return {
    async close() {
      closed = true
      clearTimeout(again)
      // A peer that is gone answers no goodbye.
      const silent = setTimeout(() => current?.connection?.stream?.destroy?.(), goodbye)
      await current?.end().catch(() => undefined)
      clearTimeout(silent)
    },
  }
}

/** How long the server may take to close the connection, in milliseconds. */
const goodbye = 1000
