import type { PayWay } from '../api/checkout.ts'
import { useGateways, type GatewayOffer } from '../api/orders.ts'
import { messages } from '../messages.ts'
import { ChoiceList } from '../ui/choice-list.tsx'
import { Notice } from '../ui/notice.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { ReadFailed } from './read-failed.tsx'

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

/** A card of the gateway's test mode, or its own page. */
export function PayChoice({ currency, value, onChange }: PayChoiceProps) {
  const { choices, chosen, gateways } = useWays(currency, value)
  if (gateways.error && choices === undefined) return <ReadFailed of={gateways} />
  if (choices === undefined) return <Skeleton label={messages.card.loading} lines={5} />
  if (choices.length === 0) return <Notice tone="warn">{messages.card.none}</Notice>
  return (
    <div>
      <ChoiceList label={messages.card.title} value={chosen?.value} onChange={onChange} choices={choices} />
      {choices.some(({ way }) => way.paymentMethod !== undefined) && (
        <p className="mt-2 text-sm text-muted">{messages.card.hint}</p>
      )}
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
  // Cards first: they need no other page.
  choices?.sort((a, b) => Number(a.way.paymentMethod === undefined) - Number(b.way.paymentMethod === undefined))
  return { gateways, choices, chosen: choices?.find((choice) => choice.value === value) ?? choices?.[0] }
}

function choicesOf({ name, testMethods }: GatewayOffer): readonly Choice[] {
  const { card, page } = messages
  const words: Readonly<Record<string, Pick<Choice, 'label' | 'detail'>>> = {
    pm_card_visa: { label: card.visa, detail: card.visaDetail },
    pm_card_visa_slow: { label: card.slow, detail: card.slowDetail },
    pm_card_chargeDeclined: { label: card.declined, detail: card.declinedDetail },
  }
  const test = testMethods.map((paymentMethod) => ({
    value: paymentMethod,
    ...(words[paymentMethod] ?? { label: paymentMethod, detail: '' }),
    way: { gateway: name, paymentMethod },
  }))
  const ownPage = { value: `page:${name}`, label: page.label(page.names[name] ?? name), detail: page.detail }
  return [...test, { ...ownPage, way: { gateway: name } }]
}
