import type { Instant } from '../call-log.ts'
import { freshMap, type OpenMap } from '../keep-state.ts'

export interface ReceivedMessage {
  /** Null: it came without one, and is like no other. */
  readonly messageId: string | null
  readonly from: string
  /** Of the envelope. */
  readonly to: readonly string[]
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly headers: Readonly<Record<string, string>>
  readonly receivedAt: Instant
}

/** What a recipient sees: one message for each Message-ID, however often it was sent. */
export interface InboxMessage extends ReceivedMessage {
  readonly number: number
  /** How often it was accepted; only the first was kept. */
  readonly accepted: number
}

export interface Mailbox {
  /** Answers whether it is the first with its Message-ID. */
  accept(message: ReceivedMessage): boolean
  /** The latest first; of one recipient, where one is given. */
  inbox(to?: string): readonly InboxMessage[]
  find(number: number): InboxMessage | undefined
  clear(): void
}

/** The oldest go beyond this. */
const capacity = 2000

export function createMailbox(open: OpenMap = freshMap): Mailbox {
  const messages = open<InboxMessage>('messages')
  let number = Math.max(0, ...[...messages.values()].map((message) => message.number))
  return {
    accept(message) {
      const known = message.messageId === null ? undefined : messages.get(message.messageId)
      if (known) {
        messages.set(known.messageId!, { ...known, accepted: known.accepted + 1 })
        return false
      }
      number += 1
      messages.set(message.messageId ?? `without one: ${number}`, { ...message, number, accepted: 1 })
      if (messages.size > capacity) messages.delete(messages.keys().next().value!)
      return true
    },
    inbox: (to) =>
      [...messages.values()]
        .filter((message) => to === undefined || message.to.some((one) => one.toLowerCase() === to.toLowerCase()))
        .toSorted((one, other) => other.number - one.number),
    find: (wanted) => [...messages.values()].find((message) => message.number === wanted),
    clear: () => messages.clear(),
  }
}
