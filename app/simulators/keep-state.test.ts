import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { until } from '../../safepoint/test/support/until.ts'
import { keepState } from './keep-state.ts'
import { startStripeSimulator } from './stripe/start-stripe-simulator.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pantry-kept-'))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

it('A bank knows after a restart what it knew before: a charge is given back, and a key answers again', async () => {
  const options = {
    secretKey: 'sk_test_kept',
    webhookSecret: 'whsec',
    keepIn: path.join(folder, 'deep', 'stripe.state'),
  }
  const post = async (url: string, route: string, params: Record<string, string>, key: string) => {
    const response = await fetch(`${url}/v1/${route}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${options.secretKey}`, 'idempotency-key': key },
      body: new URLSearchParams(params),
    })
    return { replayed: response.headers.get('idempotent-replayed'), body: (await response.json()) as any }
  }
  const visa = {
    amount: '4200',
    currency: 'inr',
    payment_method: 'pm_card_visa',
    confirm: 'true',
    'payment_method_types[0]': 'card',
  }
  const before = await startStripeSimulator(options)
  const charge = await post(before.url, 'payment_intents', visa, 'k1')
  await before.close()

  const after = await startStripeSimulator(options)
  expect(await post(after.url, 'payment_intents', visa, 'k1')).toEqual({ replayed: 'true', body: charge.body })
  const refund = await post(after.url, 'refunds', { payment_intent: charge.body.id }, 'k2')
  expect(refund.body).toMatchObject({ object: 'refund', amount: 4200 })
  expect(after.book.total()).toEqual({ inr: 0 })
  await after.close()
})

it('What a killed process had told a moment ago is there, what two maps share is still shared, and times are times', async () => {
  const file = path.join(folder, 'shared.state')
  const killed = keepState(file)
  const payment = { at: new Date(), left: 5 }
  killed.open('payments').set('p', payment)
  killed.open('pages').set('q', { payment })
  killed.changed()
  await until(() => fs.existsSync(file))
  const next = keepState(file)
  const page = next.open<{ payment: typeof payment }>('pages').get('q')!
  expect(page.payment).toBe(next.open('payments').get('p'))
  expect(page.payment).toEqual(payment)
})

it('A file that cannot be written is told, and ends nobody; after its close nothing is written any more', async () => {
  const file = path.join(folder, 'in the way', 'kept.state')
  const kept = keepState(file)
  fs.writeFileSync(path.dirname(file), 'a file where the folder should be')
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  kept.changed()
  await until(() => said.mock.calls.some(([words]) => String(words).includes(`${file} cannot be written`)))
  said.mockRestore()
  fs.rmSync(path.dirname(file))
  kept.changed()
  await until(() => fs.existsSync(file))
  kept.open('late')
  kept.close()
  const written = fs.readFileSync(file)
  kept.open<number>('late').set('a', 1)
  vi.useFakeTimers()
  kept.changed()
  await vi.advanceTimersByTimeAsync(1000)
  vi.useRealTimers()
  expect(fs.readFileSync(file)).toEqual(written)
})

it('A file that is none of its own is told by its name, and stays as it is', () => {
  const file = path.join(folder, 'other.state')
  fs.writeFileSync(file, 'something else')
  expect(() => keepState(file)).toThrow(`${file} cannot be read: remove it`)
  expect(fs.readFileSync(file, 'utf8')).toBe('something else')
})
