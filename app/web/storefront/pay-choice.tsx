import type { PayWay } from '../api/checkout.ts'
import { useGateways, type GatewayOffer } from '../api/orders.ts'
import { messages } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { ChoiceList } from '../ui/choice-list.tsx'
import { Notice } from '../ui/notice.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { explain } from './explain.ts'

/** Stripe's own names of test payment methods; the slow one is the simulator's. */
const cards = ['pm_card_visa', 'pm_card_visa_slow', 'pm_card_chargeDeclined'] as const

interface Choice {
  readonly value: string
  readonly label: string
  readonly detail: string
  readonly way: PayWay
}

export interface PayChoiceProps {
  /** What is to be paid: a gateway that does not take its currency is not offered. */
  readonly currency: string | undefined
  readonly value: string | undefined
  readonly onChange: (value: string) => void
}

/** A saved card, or a gateway's own page. */
export function PayChoice({ currency, value, onChange }: PayChoiceProps) {
  const { choices, chosen, gateways } = useWays(currency, value)
  if (gateways.error && choices === undefined)
    return (
      <Notice tone="bad">
        {explain(gateways.error)}{' '}
        <Button variant="quiet" onClick={() => void gateways.refetch()}>
          {messages.tryAgain}
        </Button>
      </Notice>
    )
  if (choices === undefined) return <Skeleton label={messages.card.loading} lines={5} />
  return (
    <div>
      <ChoiceList label={messages.card.title} value={chosen?.value} onChange={onChange} choices={choices} />
      <p className="mt-2 text-sm text-muted">{messages.card.hint}</p>
    </div>
  )
}

/** The way that is chosen, else the first one; undefined while it is not known what is offered. */
export function useWay(currency: string | undefined, value: string | undefined): PayWay | undefined {
  return useWays(currency, value).chosen?.way
}

function useWays(currency: string | undefined, value: string | undefined) {
  const gateways = useGateways()
  const choices =
    currency === undefined
      ? undefined
      : gateways.data?.filter(({ currencies }) => currencies.includes(currency)).flatMap(choicesOf)
  // Saved cards first: they need no other page.
  choices?.sort((a, b) => Number(a.way.paymentMethod === undefined) - Number(b.way.paymentMethod === undefined))
  return { gateways, choices, chosen: choices?.find((choice) => choice.value === value) ?? choices?.[0] }
}

function choicesOf({ name, savedMethods }: GatewayOffer): readonly Choice[] {
  const { card, page } = messages
  const words = {
    pm_card_visa: { label: card.visa, detail: card.visaDetail },
    pm_card_visa_slow: { label: card.slow, detail: card.slowDetail },
    pm_card_chargeDeclined: { label: card.declined, detail: card.declinedDetail },
  }
  const saved =
    name === 'stripe' && savedMethods
      ? cards.map((paymentMethod) => ({
          value: paymentMethod,
          ...words[paymentMethod],
          way: { gateway: name, paymentMethod },
        }))
      : []
  const ownPage = { value: `page:${name}`, label: page.label(page.names[name] ?? name), detail: page.detail }
  return [...saved, { ...ownPage, way: { gateway: name } }]
}
