import { describe, expect, it } from 'vitest'
import { chargeSteps, stepOf } from './gateway-steps.ts'
import { readOfferedGateways } from './offered-gateways.ts'

const simulator = { baseUrl: 'http://127.0.0.1:9', secretKey: 'sk_test', webhookSecret: 'whsec_test' }
const real = { STRIPE_SECRET_KEY: 'sk_live', STRIPE_WEBHOOK_SECRET: 'whsec_live' }

describe('which gateways are offered', () => {
  it('without credentials and without a simulator: none, and start-up says what is missing', () => {
    const offered = readOfferedGateways({ STRIPE_SECRET_KEY: 'sk_live' })
    expect(offered.names).toEqual([])
    expect(offered.notes).toContain('stripe: not offered, because STRIPE_WEBHOOK_SECRET is not set')
    expect(offered.notes).toContain(
      'razorpay: not offered, because RAZORPAY_KEY_ID and RAZORPAY_KEY_SECRET and RAZORPAY_WEBHOOK_SECRET are not set',
    )
    expect(() => offered.get('stripe')).toThrow(expect.objectContaining({ code: 'not_configured' }))
  })

  it('with a simulator only where it is handed one, and never in the place of credentials', () => {
    expect(readOfferedGateways({}, { stripe: simulator }).notes).toContain(
      'stripe: offered on the local simulator, no real money moves',
    )
    expect(readOfferedGateways(real, { stripe: simulator }).notes).toContain('stripe: offered')
    expect(readOfferedGateways(real).get('stripe').name).toBe('stripe')
  })

  it('each gateway says what a lost answer of it is settled by', () => {
    const razorpay = { baseUrl: 'http://127.0.0.1:9', keyId: 'k', keySecret: 's', webhookSecrets: ['w'] }
    const both = readOfferedGateways(real, { razorpay })
    expect(both.names).toEqual(['stripe', 'razorpay'])
    expect(both.get('stripe').settling.charge.methods).toContain('close')
    expect(both.get('razorpay').settling.charge).toEqual({ methods: [], repeatWindow: 0 })
  })

  it('there is a step that charges for each gateway that charges a saved payment method, and for no other', () => {
    const razorpay = { baseUrl: 'http://127.0.0.1:9', keyId: 'k', keySecret: 's', webhookSecrets: ['w'] }
    const cardcom = { baseUrl: 'http://127.0.0.1:9', terminalNumber: 1000, apiName: 'n', apiPassword: 'p' }
    const all = readOfferedGateways({}, { stripe: simulator, razorpay, cardcom })
    expect(all.names).toHaveLength(3)
    expect(Object.keys(chargeSteps(all))).toEqual(
      all.names.filter((name) => all.get(name).savedMethods).map((name) => stepOf('charge', name)),
    )
  })

  it('cardcom is offered whole, with its password, for the currencies it is known to take', () => {
    const whole = { CARDCOM_TERMINAL_NUMBER: '1000', CARDCOM_API_NAME: 'name', CARDCOM_API_PASSWORD: 'password' }
    expect(readOfferedGateways(whole).notes).toContain('cardcom: offered')
    const cardcom = readOfferedGateways(whole).get('cardcom')
    expect([cardcom.currencies.has('ILS'), cardcom.currencies.has('INR')]).toEqual([true, false])
    expect(cardcom.settling).toEqual({
      charge: { methods: [], repeatWindow: 0 },
      refund: { methods: [], repeatWindow: 0 },
    })
    expect(readOfferedGateways({ ...whole, CARDCOM_API_PASSWORD: '' }).notes).toContain(
      'cardcom: not offered, because CARDCOM_API_PASSWORD is not set',
    )
  })

  it('no gateway of this list: not_configured, whatever its name', () => {
    const offered = readOfferedGateways(real)
    for (const name of ['razorpay', 'cardcom', '__proto__', 'toString'])
      expect(() => offered.get(name)).toThrow(expect.objectContaining({ code: 'not_configured' }))
  })
})
