import { describe, expect, it } from 'vitest'
import { world } from './test/world.ts'

const shop = await world()
const { send } = shop
const { paths } = (await send('GET', '/openapi.json')).body as { paths: Record<string, Record<string, object>> }
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
const listOf = (header: unknown): string[] => String(header).split(', ')

describe('a path that there is', () => {
  it.each(Object.entries(paths))(
    '%s says which methods it has, and refuses any other with 405',
    async (path, declared) => {
      const url = path.replaceAll(/\{[^}]+\}/g, '0199c0de-0000-7000-8000-0000deadbeef')
      const options = await send('OPTIONS', url)
      expect([options.status, options.text]).toEqual([204, ''])
      const allowed = listOf(options.headers['allow'])
      expect(allowed).toEqual(
        expect.arrayContaining([...Object.keys(declared).map((name) => name.toUpperCase()), 'OPTIONS']),
      )
      expect(methods.filter((method) => allowed.includes(method)).length).toBeLessThan(methods.length)
      for (const method of methods) {
        if (allowed.includes(method)) continue
        // What is sent with it is not looked at.
        const reply = await send(method, `${url}/?x=1`, method === 'GET' ? undefined : '{"half', {
          'content-type': 'application/json',
        })
        expect([method, reply.status, reply.body?.code]).toEqual([method, 405, 'method_not_allowed'])
        expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
        expect(listOf(reply.headers['allow'])).toEqual(allowed)
      }
    },
  )

  it('answers HEAD where it answers GET, but for streams and what changes something', async () => {
    const bare = (method: string, url: string) => shop.app.inject({ method: method as 'HEAD', url })
    expect((await bare('HEAD', '/api/products')).statusCode).toBe(200)
    const stream = await bare('HEAD', '/api/cart/events')
    expect([stream.statusCode, stream.body, stream.headers['allow']]).toEqual([405, '', 'GET, OPTIONS'])
    expect((await bare('PROPFIND', '/api/cart')).statusCode).toBe(405)
  })

  it('says so in Hebrew, to a page that may read it, and leaves preflights to CORS', async () => {
    const origin = shop.composed.publicUrl()
    const hebrew = await send('PUT', '/api/cart', undefined, { 'accept-language': 'he', origin })
    expect(hebrew.body.title).toMatch(/[\u0590-\u05ff]/)
    expect(hebrew.headers['access-control-allow-origin']).toBe(origin)
    const own = { origin: shop.composed.publicUrl(), 'access-control-request-method': 'POST' }
    const preflight = await send('OPTIONS', '/api/orders', undefined, own)
    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([204, own.origin])
    const asked = await send('OPTIONS', '/api/orders', undefined, { origin: own.origin })
    expect([asked.status, asked.headers['allow']]).toEqual([204, 'GET, HEAD, OPTIONS, POST'])
  })
})

it('a path that there is not stays 404, whatever the method', async () => {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'PROPFIND'])
    for (const url of ['/api/none', '/api/cart/items/1/2/3', '/api', '/api//cart', '/API/CART', '/api/%'])
      expect([method, url, (await shop.app.inject({ method: method as 'GET', url })).statusCode]).toEqual([
        method,
        url,
        url === '/api/%' ? 400 : 404,
      ])
})
