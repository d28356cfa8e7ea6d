// DBOS Transact: workflow id = key, one step that does the transaction.
import { DBOS, DBOSClient } from '@dbos-inc/dbos-sdk'
import pg from 'pg'
import type { CartInput, Peer, PeerOptions, SlowWork } from './peer.ts'

export async function startPeer({ url, max, bareCart }: PeerOptions): Promise<Peer> {
  const pool = new pg.Pool({ connectionString: url, max, pipeline: true } as pg.PoolConfig)
  pool.on('error', () => {})
  const systemDatabaseUrl = Object.assign(new URL(url), { pathname: '/dbos_system' }).href
  DBOS.setConfig({ name: 'bench', systemDatabaseUrl, systemDatabasePoolSize: max, logLevel: 'error' })
  const addToCart = DBOS.registerWorkflow(
    (input: CartInput) => DBOS.runStep(() => bareCart(pool, input), { name: 'addToCart' }),
    { name: 'addToCart' },
  )
  const works = new Map<string, SlowWork>()
  const slowWork = DBOS.registerWorkflow(
    (key: string) =>
      DBOS.runStep(() => works.get(key)!(pool, key, DBOS.stepStatus?.cancelSignal), { name: 'slowWork' }),
    { name: 'slowWork' },
  )
  await DBOS.launch()
  const elsewhere = await DBOSClient.create({ systemDatabaseUrl })
  return {
    name: 'DBOS Transact 5.3.0',
    addToCart: (key, input) => DBOS.withNextWorkflowID(key, () => addToCart(input)),
    async cancelRace(key, slow, cancelNow) {
      works.set(key, slow)
      const running = DBOS.withNextWorkflowID(key, () => slowWork(key)).catch(() => undefined)
      await cancelNow
      await elsewhere.cancelWorkflow(key)
      await running
      const status = await elsewhere.retrieveWorkflow(key).getStatus()
      return { toldCancelled: status?.status === 'CANCELLED' }
    },
    async close() {
      await elsewhere.destroy()
      await DBOS.shutdown()
      await pool.end()
    },
  }
}
