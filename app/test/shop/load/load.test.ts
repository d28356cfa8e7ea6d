import { expect, test } from 'vitest'
import pg from 'pg'
import { testDatabase } from '../../../../safepoint/test/support/database.ts'
import { stockCatalogue } from './count-statements.ts'
import { figuresOf, loadShop } from './load-shop.ts'

const { url } = await testDatabase({ template: 'app' })

test(
  'eight clients whose network breaks now and then recover each time, and end with the cart of the database',
  { timeout: 60_000 },
  async () => {
    const sql = new pg.Pool({ connectionString: url, max: 1 })
    await stockCatalogue(sql, 8)
    await sql.end()
    const seed = Date.now() % 1_000_000
    const report = await loadShop({ databaseUrl: url, clients: 8, seconds: 3, thinkMs: 10, seed })
    // How long it takes is the machine's, which is somebody else's too while tests run.
    const figures = figuresOf(report).filter(({ unit }) => unit === '%')
    expect(
      figures.filter(({ ok }) => !ok),
      `seed ${seed}: ${report.counted.failures.join('; ')}`,
    ).toEqual([])
    expect(report.counted.recoveries.ended).toBeGreaterThan(0)
    expect(report.unbalanced).toEqual([])
  },
)
