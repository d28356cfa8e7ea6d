import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { startStripeSimulator, type StripeSimulator } from '../../simulators/stripe/start-stripe-simulator.ts'
import { readConfig } from '../config.ts'
import { breakGateways, defaultBreaker, gatewayBreaker, type BreakerSettings } from './gateway-breaker.ts'
import { GatewayError } from './gateways/gateway-error.ts'
import type { ChargeRequest, Gateway, GatewayCall } from './gateways/gateway.ts'
import { createStripeGateway } from './gateways/stripe/stripe-gateway.ts'
import { offerGateways } from './offered-gateways.ts'

const credentials = { secretKey: 'sk_test_breaker', webhookSecret: 'whsec_breaker' }
const settings: BreakerSettings = { ...defaultBreaker, calls: 3, open: 200 }

let stripe: StripeSimulator
let gateway: Gateway
let states: string[]

/** Of this test alone: the breaker of an earlier one may still change its state. */
const behindBreaker = (more: Partial<BreakerSettings> = {}): Gateway => {
  const own: string[] = (states = [])
  return gatewayBreaker(
    createStripeGateway({ baseUrl: stripe.url, ...credentials }),
    { ...settings, ...more },
    { warn: (fields) => void own.push((fields as { state: string }).state) },
  )
}

beforeEach(async () => {
  stripe = await startStripeSimulator(credentials)
  gateway = behindBreaker()
})
afterEach(async () => {
  stripe.faults.clear()
  await stripe.close()
})

let calls = 0
const call = (more: Partial<GatewayCall> = {}): GatewayCall => ({
  key: `breaker-${++calls}`,
  signal: new AbortController().signal,
  timeoutMs: 5000,
  ...more,
})
const request = (more: Partial<ChargeRequest> = {}): ChargeRequest => ({
  amount: 4200,
  currency: 'INR',
  paymentMethod: 'pm_card_visa',
  order: 'o1',
  requestedAt: new Date().toISOString(),
  ...more,
})
const charge = (more: Partial<GatewayCall> = {}) => gateway.charge(request(), call(more))
const failed = async (work: Promise<unknown>): Promise<GatewayError> => {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof GatewayError) return thrown
  throw new Error('no GatewayError', { cause: thrown })
}
const break5xx = (times: number) =>
  stripe.faults.add({ times, faults: [{ kind: 'error', status: 503, stored: false }] })

async function open(): Promise<void> {
  break5xx(3)
  for (let i = 0; i < 3; i++) await failed(charge())
  expect(states).toEqual(['open'])
}

describe('a gateway that does not answer', () => {
  it('is not called any more after three of three calls have failed: surely without effect, with the time to come back', async () => {
    await open()
    const before = stripe.calls.list().length
    const error = await failed(charge())
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none', code: 'circuit_open', gateway: 'stripe' })
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(200)
    for (const work of [
      () => gateway.getPayment('pi_1', call()),
      () => gateway.getCheckout('cs_1', call()),
      () => gateway.capture({ paymentId: 'pi_1', amount: 1, currency: 'INR' }, call()),
    ])
      expect((await failed(work())).code).toBe('circuit_open')
    expect(stripe.calls.list().length).toBe(before)
  })

  it('is tried again by one call, others still being turned away; when it answers it is used again', async () => {
    await open()
    await until(() => states.includes('half-open'))
    const held = stripe.faults.add({ faults: [{ kind: 'hang', at: 'begun' }] })
    const trial = charge()
    await held.held()
    expect((await failed(charge())).code).toBe('circuit_open')
    held.release()
    expect((await trial).status).toBe('captured')
    expect(states).toEqual(['open', 'half-open', 'closed'])
    expect((await charge()).status).toBe('captured')
  })

  it('stays left alone where the trial fails, and where the trial was stopped by a cancel of ours', async () => {
    await open()
    await until(() => states.at(-1) === 'half-open')
    break5xx(1)
    await failed(charge())
    expect(states.at(-1)).toBe('open')
    await until(() => states.at(-1) === 'half-open')
    const held = stripe.faults.add({ faults: [{ kind: 'hang', at: 'begun' }] })
    const leaving = new AbortController()
    const trial = failed(charge({ signal: leaving.signal }))
    await held.held()
    leaving.abort(new Error('cancelled'))
    expect((await trial).code).toBe('aborted')
    expect(states.at(-1)).toBe('open')
    held.release()
    await until(() => states.at(-1) === 'half-open')
    expect((await charge()).status).toBe('captured')
  })

  it('gives money back, and answers what became of a charge, while nothing is begun with it', async () => {
    const key = 'paid-before'
    const paid = await charge({ key })
    expect(paid.status).toBe('captured')
    break5xx(2)
    for (let i = 0; i < 2; i++) await failed(charge())
    expect((await failed(charge())).code).toBe('circuit_open')
    expect(await gateway.findCharge(request(), call({ key }))).toMatchObject({ status: 'captured' })
    expect(await gateway.findCharge(request(), call({ key: 'never charged' }))).toBeUndefined()
    const reversal = await gateway.reverse({ paymentId: paid.payment!.id, order: 'o1' }, call())
    expect(reversal.status).toBe('refunded')
    expect(stripe.book.net('order')['o1']?.net).toBe(0)
  })

  it('a charge whose answer was lost stays of unknown outcome, whatever the breaker says of the next call', async () => {
    stripe.faults.add({ times: 3, faults: [{ kind: 'drop', at: 'executed' }] })
    const key = 'lost'
    expect(await failed(charge({ key }))).toMatchObject({ kind: 'unknown', effect: 'unknown' })
    await failed(charge())
    await failed(charge())
    expect((await failed(charge({ key }))).code).toBe('circuit_open')
    // The gateway's own word, past the breaker: it was taken.
    expect(await gateway.findCharge(request(), call({ key }))).toMatchObject({ status: 'captured' })
  })
})

describe('what is no failure of a gateway', () => {
  it('is a decline, a refusal, or a cancel of ours, however many', async () => {
    for (let i = 0; i < 4; i++) {
      expect((await gateway.charge(request({ paymentMethod: 'pm_card_chargeDeclined' }), call())).status).toBe(
        'declined',
      )
      expect((await failed(gateway.getPayment('pi_unknown', call()))).kind).toBe('refused')
      const held = stripe.faults.add({ faults: [{ kind: 'hang', at: 'arrived' }] })
      const leaving = new AbortController()
      const stopped = failed(charge({ signal: leaving.signal }))
      await held.held()
      leaving.abort(new Error('cancelled'))
      expect((await stopped).code).toBe('aborted')
      held.release()
    }
    expect(states).toEqual([])
  })
})

describe('a call behind a breaker', () => {
  it('starts in the tick in which it is made, and is stopped in the one in which its signal fires', async () => {
    const seen: string[] = []
    const inner: Gateway = {
      ...createStripeGateway({ baseUrl: stripe.url, ...credentials }),
      charge: (_, { signal }) => {
        seen.push('started')
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            seen.push('stopped')
            reject(new GatewayError('stripe', 'unknown', 'aborted', 'stopped'))
          })
        })
      },
    }
    const leaving = new AbortController()
    const work = failed(
      gatewayBreaker(inner, settings, { warn() {} }).charge(request(), call({ signal: leaving.signal })),
    )
    expect(seen).toEqual(['started'])
    leaving.abort()
    expect(seen).toEqual(['started', 'stopped'])
    expect((await work).code).toBe('aborted')
  })

  it('ends at the time-out of its kind, where that is sooner than what its caller allows', async () => {
    gateway = behindBreaker({ timeouts: { money: 5000, page: 5000, read: 50 } })
    stripe.faults.add({ faults: [{ kind: 'hang', at: 'begun' }] })
    expect(await failed(gateway.getPayment('pi_1', call()))).toMatchObject({ kind: 'unavailable', code: 'timeout' })
    gateway = behindBreaker({ timeouts: { money: 50, page: 5000, read: 5000 } })
    stripe.faults.add({ faults: [{ kind: 'hang', at: 'begun' }] })
    expect(await failed(charge())).toMatchObject({ kind: 'unknown', code: 'timeout', effect: 'unknown' })
  })
})

it('each gateway that is offered has a breaker of its own, and one that is not offered is told so', async () => {
  const offered = offerGateways({
    stripe: { gateway: createStripeGateway({ baseUrl: stripe.url, ...credentials }), by: 'credentials' },
    razorpay: { missing: ['RAZORPAY_KEY_ID'] },
  })
  const behind = breakGateways(offered, settings, { warn() {} })
  expect(behind.names).toEqual(['stripe'])
  expect(behind.get('stripe')).toBe(behind.get('stripe'))
  expect(() => behind.get('razorpay')).toThrow(expect.objectContaining({ code: 'not_configured' }))
  gateway = behind.get('stripe')
  break5xx(3)
  for (let i = 0; i < 3; i++) await failed(charge())
  expect((await failed(charge())).code).toBe('circuit_open')
})

it('its settings come from the environment, and a time-out longer than a step waits is refused', () => {
  expect(readConfig({}).gatewayBreaker).toEqual(defaultBreaker)
  const given = { GATEWAY_READ_TIMEOUT_MS: '1500', GATEWAY_BREAKER_OPEN_MS: '30000', GATEWAY_BREAKER_CALLS: '20' }
  expect(readConfig(given).gatewayBreaker).toEqual({
    ...defaultBreaker,
    timeouts: { ...defaultBreaker.timeouts, read: 1500 },
    open: 30_000,
    calls: 20,
  })
  expect(() => readConfig({ GATEWAY_TIMEOUT_MS: '20000' })).toThrow(/GATEWAY_TIMEOUT_MS/)
})
