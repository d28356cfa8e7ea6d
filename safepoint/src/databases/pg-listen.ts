import type { Subscription } from '../database.ts'
import type { PgClient } from './pg-driver.ts'

/** LISTEN on a connection of its own, again and again: `pg` gives up when its connection breaks. */
export async function listenWith(
  makeClient: () => PgClient,
  channel: string,
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
    const lose = () => {
      if (over) return
      over = true
      onState('lost')
      client.end().catch(() => undefined)
      if (closed) return
      const wait = Math.min(5000, 50 * 2 ** Math.min(failures++, 7)) * (0.5 + Math.random() / 2)
      again = setTimeout(() => void attempt(), wait)
    }
    client.on('error', lose)
    client.on('end', lose)
    client.on('notification', (message: { payload?: string }) => onMessage(message.payload ?? ''))
    try {
      await client.connect()
      await new Promise<void>((resolve, reject) =>
        client.query({ text: `listen "${channel.replaceAll('"', '""')}"` }, (error) =>
          error ? reject(error) : resolve(),
        ),
      )
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
      await current?.end().catch(() => undefined)
    },
  }
}
