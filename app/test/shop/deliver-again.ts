import { signWebhook } from '../../simulators/razorpay/signatures.ts'
import { signStripe } from '../../simulators/stripe/webhook-signature.ts'
import type { Outside, RandomWorld } from './random-world.ts'
import { webhookSecrets, type GatewayName } from './start-shop.ts'

interface Received {
  readonly gateway: GatewayName
  readonly event_id: string
  readonly page_id: string | null
  readonly payload: Buffer
}

/** An event that the shop has had before, late, several times at once, or by somebody who has no secret of the gateway's. */
export async function deliverAgain(
  { sql }: RandomWorld,
  at: string,
  [which = 0, copies = 0, forged = 0]: readonly number[],
): Promise<Outside | undefined> {
  const { rows } = await sql.query<Received>(
    `select gateway, event_id, page_id, payload from pantry.webhook_event order by id desc
      offset (select floor($1::float8 * least(count(*), 60))::int from pantry.webhook_event) limit 1`,
    [which],
  )
  const [event] = rows
  if (!event) return undefined
  const isForged = forged < 0.25
  return async () => {
    const answers = await Promise.all(
      Array.from({ length: 1 + Math.floor(copies * 5) }, () => deliver(at, event, isForged)),
    )
    return `${event.gateway}${isForged ? ', forged' : ''}: ${[...new Set(answers)].toSorted().join(', ')}`
  }
}

async function deliver(at: string, { gateway, event_id: id, page_id: page, payload }: Received, isForged: boolean) {
  const text = payload.toString()
  const tamper = isForged ? ('wrong_secret' as const) : undefined
  const signature = {
    stripe: () => signStripe(text, webhookSecrets.stripe, tamper),
    razorpay: () => ({ ...signWebhook(text, webhookSecrets.razorpay, tamper), 'x-razorpay-event-id': id }),
    // Signs nothing: a forged one says of the page whatever it likes.
    cardcom: () => ({}),
  }[gateway]()
  const body = gateway === 'cardcom' ? JSON.stringify({ ResponseCode: isForged ? 4 : 0, LowProfileId: page }) : payload
  const { status } = await fetch(`${at}/api/payments/${gateway}-webhook`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...signature },
    body,
  })
  return status
}
