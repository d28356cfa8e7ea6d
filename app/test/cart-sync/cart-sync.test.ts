import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../safepoint/test/support/database.ts'
import { perform, runGroups, type Result } from './check.ts'
import { startFlawedShop, type Passing } from './flawed-shop.ts'
import { groups } from './groups.ts'
import { openOwnSite } from './own-site.ts'
import { openSite } from './site.ts'

const { url } = await testDatabase({ template: 'app' })
const site = await openOwnSite(url)
afterAll(() => site.close())

for (const { name, points } of groups) {
  for (const [point, checks] of Object.entries(points)) {
    describe(`${name}: ${point}`, () => {
      test.each(checks.map((one) => [one.sentence, one] as const))('%s', async (_, one) => {
        await expect(perform(site, one)).resolves.toBeUndefined()
      })
    })
  }
}

test('the seven groups have their three points each, and no two checks are called the same', () => {
  expect(groups.map(({ name, points }) => [name, Object.keys(points).length])).toEqual([
    ['Empty Cart Scenarios', 3],
    ['Cart With Items', 3],
    ['User Isolation', 3],
    ['Concurrent Operations', 3],
    ['Payment Integration', 3],
    ['API Consistency', 3],
    ['Edge Cases', 3],
  ])
  const all = groups.flatMap(({ points }) => Object.values(points))
  expect(all.every((checks) => checks.length > 0)).toBe(true)
  const sentences = all.flat().map(({ sentence }) => sentence)
  expect(new Set(sentences).size).toBe(sentences.length)
})

const isAdd = ({ method, path }: Passing) => method === 'POST' && path === '/api/cart/add'
const group = (name: string) => groups.filter((one) => one.name === name)

async function runAgainst(flaw: (sent: Passing) => Passing, name: string): Promise<Result[]> {
  const flawed = await startFlawedShop(site.urls[0]!, flaw)
  try {
    const itsSite = await openSite({ urls: [flawed.url] })
    const results: Result[] = []
    for await (const result of runGroups(itsSite, group(name))) results.push(result)
    await itsSite.close()
    return results
  } finally {
    await flawed.close()
  }
}

describe('what it is for: a shop with a flaw fails', () => {
  const failed = (results: readonly Result[]) =>
    results.filter(({ outcome }) => outcome === 'FAILED').map(({ sentence }) => sentence)

  test('that loses every tenth add', async () => {
    let adds = 0
    const results = await runAgainst(
      (sent) => (isAdd(sent) && ++adds % 10 === 0 ? { ...sent, method: 'GET', path: '/api/cart', body: none } : sent),
      'Concurrent Operations',
    )
    expect(failed(results)).toEqual(
      expect.arrayContaining([
        '50 adds of different variants at once: each is a line, with its quantity',
        '50 adds of the same variant at once: one line of 50',
      ]),
    )
  })

  test('that takes everybody for whoever came first', async () => {
    let first: string | undefined
    const results = await runAgainst((sent) => {
      if (!sent.path.startsWith('/api/cart')) return sent
      const authorization = (first ??= sent.headers.authorization)
      return { ...sent, headers: { ...sent.headers, authorization } }
    }, 'User Isolation')
    expect(failed(results)).toEqual(
      expect.arrayContaining([
        "lines of somebody else can neither be changed nor removed, and one's own cart stays as it is",
        'four people have four carts, each one cart at every server and through every change',
      ]),
    )
  })

  test('that does not look at the total that was shown', async () => {
    const results = await runAgainst((sent) => {
      if (sent.path !== '/api/payments/create-from-cart') return sent
      const { expectedTotal: _, ...body } = JSON.parse(sent.body.toString())
      return { ...sent, body: Buffer.from(JSON.stringify(body)) }
    }, 'Payment Integration')
    expect(failed(results)).toContain(
      'a total that has drifted since it was shown is refused with the new one: 409 cart_changed; that one is taken',
    )
  })

  test('the program ends with 1 there and says why, and with 0 at one without', { timeout: 60_000 }, async () => {
    // Each request is a new one, whatever its key says.
    const flawed = await startFlawedShop(site.urls[0]!, (sent) => {
      const { 'idempotency-key': _, ...headers } = sent.headers
      return isAdd(sent) ? { ...sent, headers } : sent
    })
    try {
      const [wrong, right] = await Promise.all([runProgram(flawed.url), runProgram(site.urls[1]!)])
      expect(wrong).toMatchObject({ code: 1 })
      expect(wrong.output).toMatch(/FAILED +\d+ ms {2}an add that is sent again under its key adds once/)
      expect(wrong.output).toMatch(/\nTotal Tests: 9\nPassed: 8\nFailed: 1\nLeft out: 1\nSuccess Rate: 88\.89%\n/)
      expect(right).toMatchObject({ code: 0 })
      expect(right.output).toMatch(/\nCart With Items +9 +9 +0 +100\.0%\n/)
      expect(right.output).toMatch(/\nTotal Tests: 9\nPassed: 9\nFailed: 0\nLeft out: 1\nSuccess Rate: 100\.0%\n/)
    } finally {
      await flawed.close()
    }
  })
})

const none = Buffer.alloc(0)

/** Without what an administrator is needed for. */
async function runProgram(at: string): Promise<{ readonly code: number; readonly output: string }> {
  const { PATH = '' } = process.env
  const program = fileURLToPath(new URL('main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=source', program, '--url', at, '--group', 'Cart With Items'], {
    env: { PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const [code] = await once(child, 'close')
  return { code: code as number, output }
}
