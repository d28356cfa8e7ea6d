import { messages } from '../messages.ts'
import { ChoiceList } from '../ui/choice-list.tsx'

/** Stripe's own names of test payment methods; the slow one is the simulator's. */
export const cards = ['pm_card_visa', 'pm_card_visa_slow', 'pm_card_chargeDeclined'] as const
export type Card = (typeof cards)[number]

const words: Readonly<Record<Card, { readonly label: string; readonly detail: string }>> = {
  pm_card_visa: { label: messages.card.visa, detail: messages.card.visaDetail },
  pm_card_visa_slow: { label: messages.card.slow, detail: messages.card.slowDetail },
  pm_card_chargeDeclined: { label: messages.card.declined, detail: messages.card.declinedDetail },
}

export function CardChoice({ value, onChange }: { readonly value: Card; readonly onChange: (card: Card) => void }) {
  return (
    <div>
      <ChoiceList
        label={messages.card.title}
        value={value}
        onChange={(chosen) => onChange(chosen as Card)}
        choices={cards.map((card) => ({ value: card, ...words[card] }))}
      />
      <p className="mt-2 text-sm text-muted">{messages.card.hint}</p>
    </div>
  )
}
