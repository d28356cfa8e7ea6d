import { describe, expect, it } from 'vitest'
import { readOfferedGateways } from './offered-gateways.ts'

const simulator = { baseUrl: 'http://127.0.0.1:9', secretKey: 'sk_test', webhookSecret: 'whsec_test' }
const real = { STRIPE_SECRET_KEY: 'sk_live', STRIPE_WEBHOOK_SECRET: 'whsec_live' }

describe('which gateways are offered', () => {
  it('without credentials and without a simulator: none, and start-up says what is missing', () => {
    const offered = readOfferedGateways({ STRIPE_SECRET_KEY: 'sk_live' })
    expect(offered.names).toEqual([])
    expect(offered.notes).toEqual(['stripe: not offered, because STRIPE_WEBHOOK_SECRET is not set'])
    expect(() => offered.get('stripe')).toThrow(expect.objectContaining({ code: 'not_configured' }))
  })

  it('with a simulator only where it is handed one, and never in the place of credentials', () => {
    expect(readOfferedGateways({}, { stripe: simulator }).notes).toEqual([
      'stripe: offered on the local simulator, no real money moves',
    ])
    expect(readOfferedGateways(real, { stripe: simulator }).notes).toEqual(['stripe: offered'])
    expect(readOfferedGateways(real).get('stripe').name).toBe('stripe')
  })

  it('no gateway of this list: not_configured, whatever its name', () => {
    const offered = readOfferedGateways(real)
    for (const name of ['razorpay', 'cardcom', '__proto__', 'toString'])
      expect(() => offered.get(name)).toThrow(expect.objectContaining({ code: 'not_configured' }))
  })
})
