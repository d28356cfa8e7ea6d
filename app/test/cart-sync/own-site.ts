import pg from 'pg'
import { administrator, startShop } from '../shop/start-shop.ts'
import { openSite, type Site } from './site.ts'

export interface OwnSite extends Site {
  /** What its servers said. */
  output(): string
}

/** A shop of two server processes with two gateways, which ends with `close`. */
export async function openOwnSite(databaseUrl: string): Promise<OwnSite> {
  const shop = await startShop({ databaseUrl, servers: 2, gateways: ['razorpay', 'stripe'] })
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 2 })
  const end = async () => {
    await sql.end()
    await shop.stop()
  }
  try {
    const site = await openSite({ urls: shop.urls, admin: administrator, sql })
    return {
      ...site,
      output: shop.output,
      async close() {
        try {
          await site.close()
        } finally {
          await end()
        }
      },
    }
  } catch (error) {
    await end()
    throw new Error(`The shop did not open. Its servers said:\n${shop.output()}`, { cause: error })
  }
}
