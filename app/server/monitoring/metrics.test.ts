import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { buildApp } from '../app.ts'
import { readConfig } from '../config.ts'
import { world } from '../test/world.ts'
import { writeExposition } from './exposition.ts'

const shop = await world()
const token = 'a token that is long enough'

async function appWith(metricsToken?: string) {
  const app = await buildApp({ composed: shop.composed, log: pino({ level: 'silent' }), metricsToken })
  onTestFinished(() => app.close())
  return (headers: Record<string, string> = {}, remoteAddress = '127.0.0.1') =>
    app.inject({ url: '/metrics', headers, remoteAddress })
}

test('a scrape is told what was answered, by route and never by path, and what clients and transactions have counted', async () => {
  const { productId } = await shop.newProduct()
  const [known, unknown] = [`/api/products/${productId}`, '/api/products/none']
  for (const path of [known, known, unknown, '/nowhere']) await shop.send('GET', path)
  const scrape = await shop.send('GET', '/metrics')
  expect([scrape.status, scrape.headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  const lines = scrape.text.split('\n')
  const at = (status: number) => `pantry_http_requests_total{method="GET",route="/api/products/:id",status="${status}"}`
  expect(lines).toEqual(
    expect.arrayContaining([
      '# TYPE pantry_http_requests_total counter',
      `${at(200)} 2`,
      `${at(404)} 1`,
      'pantry_http_requests_total{method="GET",route="none",status="404"} 1',
      expect.stringMatching(/^pantry_catalog_reads_total\{from="memory"\} \d+$/),
      expect.stringMatching(/^pantry_client_events_total\{type="cache_hit"\} \d+$/),
      expect.stringMatching(/^process_resident_memory_bytes \d+$/),
    ]),
  )
  expect(scrape.text).not.toContain(productId)
  // Each line is a comment or a sample, each name is declared, and the last line ends.
  for (const line of lines.slice(0, -1))
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [\d.e+-]+)$/)
  expect(lines.at(-1)).toBe('')
})

test('figures are for this machine, not for whom a proxy on it speaks for, and for who has the token', async () => {
  const open = await appWith(token)
  const closed = await appWith()
  const bearer = (shown: string) => ({ authorization: `Bearer ${shown}` })
  const statusOf = async (reply: ReturnType<typeof open>) => (await reply).statusCode
  for (const here of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])
    expect([here, await statusOf(closed({}, here))]).toEqual([here, 200])
  for (const away of ['10.0.0.1', '203.0.113.7', '2001:db8::1', '::ffff:203.0.113.7']) {
    expect([away, await statusOf(open({}, away))]).toEqual([away, 401])
    expect([away, await statusOf(open(bearer(token), away))]).toEqual([away, 200])
    expect([away, await statusOf(open(bearer(`${token}!`), away))]).toEqual([away, 401])
    expect([away, await statusOf(closed(bearer(token), away))]).toEqual([away, 401])
  }
  const proxied: Record<string, string>[] = [
    { 'x-forwarded-for': '203.0.113.7' },
    { forwarded: 'for=203.0.113.7' },
    { via: '1.1 proxy' },
  ]
  for (const passed of proxied) {
    expect([passed, await statusOf(open(passed))]).toEqual([passed, 401])
    expect([passed, await statusOf(open({ ...passed, ...bearer(token) }))]).toEqual([passed, 200])
  }
  expect(() => readConfig({ METRICS_TOKEN: 'short' })).toThrow(/METRICS_TOKEN/)
  expect(readConfig({ METRICS_TOKEN: token }).metricsToken).toBe(token)
})

test('labels are escaped', () => {
  const samples = [[{ a: 'x"y\\z\n' }, 1]] as const
  expect(writeExposition([{ name: 'n', help: 'h', type: 'gauge', samples }])).toBe(
    '# HELP n h\n# TYPE n gauge\nn{a="x\\"y\\\\z\\n"} 1\n',
  )
})
