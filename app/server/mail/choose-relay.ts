import type { Config } from '../config.ts'
import { createSmtpRelay, type Relay } from './smtp-relay.ts'

/** Where the mail simulator runs. */
export interface MailSimulator {
  /** What to send over, credentials included. */
  readonly smtpUrl: string
  /** Where its inbox is read. */
  readonly inboxUrl: string
}

/**
 * The relay that the configuration names; else the simulator, where one runs. Neither: mails stay queued until there is one, and
 * start-up says so. A shop on its own database never sends to a simulator unasked.
 */
export function chooseRelay(
  { smtp, mailFrom }: Pick<Config, 'smtp' | 'mailFrom'>,
  simulator: MailSimulator | undefined,
): { readonly relay: Relay | undefined; readonly note: string } {
  if (smtp) {
    const relay = createSmtpRelay(smtp)
    return { relay, note: `mail: sent through ${relay.host}` }
  }
  if (simulator) {
    return {
      relay: createSmtpRelay({ url: simulator.smtpUrl, from: mailFrom }),
      note: `mail: read it at ${simulator.inboxUrl}, nothing is delivered`,
    }
  }
  return { relay: undefined, note: 'mail: not configured, because SMTP_URL is not set; mails stay queued' }
}
