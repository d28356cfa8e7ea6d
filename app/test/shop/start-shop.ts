import { startProcess, type Running } from '../checkout/processes.ts'
import { simulatorControl, type SimulatorControl } from './simulator-control.ts'

export const gatewayNames = ['stripe', 'razorpay', 'cardcom'] as const
export type GatewayName = (typeof gatewayNames)[number]

export const webhookSecrets = { stripe: 'whsec_of_the_shop', razorpay: 'whsec_of_the_other_shop' }

export const credentials: Readonly<Record<GatewayName, Record<string, string>>> = {
  stripe: { STRIPE_SECRET_KEY: 'sk_test_shop', STRIPE_WEBHOOK_SECRET: webhookSecrets.stripe },
  razorpay: {
    RAZORPAY_KEY_ID: 'rzp_test_shop',
    RAZORPAY_KEY_SECRET: 'secret_of_the_shop',
    RAZORPAY_WEBHOOK_SECRET: webhookSecrets.razorpay,
  },
  cardcom: { CARDCOM_TERMINAL_NUMBER: '1000', CARDCOM_API_NAME: 'shop', CARDCOM_API_PASSWORD: 'password_of_the_shop' },
}

export const administrator = { email: 'admin@example.com', password: 'the administrator of the shop' }

export interface ShopSettings {
  readonly databaseUrl: string
  /** Server processes on that database. */
  readonly servers: number
  readonly gateways: readonly GatewayName[]
  /** One that all of `gateways` take. Default INR. */
  readonly currency?: string
  /** Mails go out, to a mailbox of the simulator. */
  readonly mail?: boolean
  readonly env?: Readonly<Record<string, string>>
}

/** A shop as it runs in production, each part a process of its own: servers on one database, gateways, the relay of mails. */
export interface Shop {
  readonly servers: readonly Running[]
  readonly urls: readonly string[]
  readonly gateways: Readonly<Partial<Record<GatewayName, SimulatorControl>>>
  /** What the servers said, the last of it. */
  output(): string
  /** The lines of their logs that speak of `word`. */
  linesAbout(word: string): string[]
  stop(): Promise<void>
}

export async function startShop(settings: ShopSettings): Promise<Shop> {
  const { databaseUrl, gateways: names, currency = 'INR', mail = false } = settings
  const running: Running[] = []
  const start = async (...given: Parameters<typeof startProcess>) => {
    const process = await startProcess(...given)
    running.push(process)
    return process
  }
  const stop = async () => {
    for (const process of running.toReversed()) await process.end('SIGTERM')
  }
  try {
    const [relay, ...simulators] = await Promise.all([
      mail ? start('simulators/smtp/main.ts', {}) : undefined,
      ...names.map((name) => start(`simulators/${name}/main.ts`, credentials[name])),
    ])
    const smtpUrl = relay && /"smtpUrl":"([^"]+)"/.exec(relay.output())?.[1]
    const env = {
      ...Object.assign({}, ...names.map((name) => credentials[name])),
      ...Object.fromEntries(names.map((name, n) => [`${name.toUpperCase()}_BASE_URL`, simulators[n]!.url])),
      ...(smtpUrl !== undefined && { SMTP_URL: smtpUrl, MAIL_FROM: 'Shop <shop@example.com>' }),
      DATABASE_URL: databaseUrl,
      JWT_SECRET: 'a secret of the tests, of forty-eight bytes or so',
      ADMIN_EMAIL: administrator.email,
      ADMIN_PASSWORD: administrator.password,
      SHOP_CURRENCY: currency,
      PORT: '0',
      RATE_LIMITS: 'off',
      LOG_LEVEL: 'error',
      ...settings.env,
    }
    // One after the other: both would make the administrator.
    const servers: Running[] = []
    for (let n = 0; n < settings.servers; n++) servers.push(await start('server/main.ts', env))
    const controls = Object.fromEntries(names.map((name, n) => [name, simulatorControl(simulators[n]!.url)]))
    for (const name of ['stripe', 'razorpay'])
      await controls[name]?.('PUT', '/webhook', { url: `${servers[0]!.url}/api/payments/${name}-webhook` })
    return {
      servers,
      urls: servers.map(({ url }) => url),
      gateways: controls,
      linesAbout: (word) =>
        servers.flatMap((server) => server.output().split('\n')).filter((line) => line.includes(word)),
      output: () => servers.map((server) => server.output().slice(-4000)).join('\n'),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
