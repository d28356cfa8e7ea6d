import { Readable } from 'node:stream'
import MailComposer from 'nodemailer/lib/mail-composer'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import { SafepointError } from 'safepoint'
import type { RenderedMail } from './letter.ts'
import type { Delivery } from './mail.ts'

export interface SmtpConfig {
  /** `smtp://user:password@host:port`, or `smtps:` for TLS from the first byte. */
  readonly url: string
  /** `Pantry <shop@example.com>`. */
  readonly from: string
}

/** A mail ready to leave. Handed over again it is the same bytes: its date and its Message-ID are the outbox row's. */
export interface OutgoingMail extends RenderedMail {
  readonly id: string
  readonly to: string
  readonly createdAt: Date
}

export interface Relay {
  /**
   * Hands a mail over, on a connection of its own. Answers what the relay said. Throws `mail_unanswered`, of unknown effect, when the text
   * was sent and its answer was lost: then the relay may have the mail or not.
   */
  hand(mail: OutgoingMail, signal: AbortSignal): Promise<Delivery>
  readonly host: string
}

/** Milliseconds that a relay may be silent. RFC 5321 section 4.5.3.2 allows minutes; a mail that is put off costs less than a wait. */
const patience = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000, dnsTimeout: 10_000 }

/** The one Message-ID of a mail, for all tries. */
export function messageIdOf(mailId: string, from: string): string {
  const domain = /@([^>\s]+)>?\s*$/.exec(from)?.[1] ?? 'pantry.invalid'
  return `<${mailId}@${domain}>`
}

/**
 * Sends over SMTP (RFC 5321). SMTP has no idempotency key: a `250` that is lost after the text leaves nobody knowing whether the relay
 * has the mail. It is then sent again under the same Message-ID, which makes it exactly once as far as the relay, or the
 * recipient's mailbox, drops a Message-ID it has seen (RFC 5322 section 3.6.4 makes it unique, and nothing makes anybody look).
 * A relay that writes Message-IDs of its own, as Amazon SES and Microsoft 365 do, cannot; there it is at least once.
 */
export function createSmtpRelay({ url, from }: SmtpConfig): Relay {
  const { protocol, hostname, port, username, password } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const secure = protocol === 'smtps:'
  const auth = username === '' ? undefined : { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
  const options = {
    host,
    ...(port !== '' && { port: Number(port) }),
    secure,
    // No password crosses a network in the clear.
    requireTLS: !secure && auth !== undefined && !loopback.test(host),
    ...patience,
  }

  return {
    host,
    async hand(mail, signal) {
      signal.throwIfAborted()
      const message = new MailComposer({
        from,
        to: { name: '', address: mail.to },
        subject: mail.subject,
        text: mail.text,
        html: mail.html,
        messageId: messageIdOf(mail.id, from),
        date: mail.createdAt,
        baseBoundary: mail.id,
        headers: { 'Auto-Submitted': 'auto-generated' },
        disableFileAccess: true,
        disableUrlAccess: true,
      }).compile()
      const raw = await message.build()
      const { from: sender } = message.getEnvelope()
      let textSent = false
      // Read only once the relay has said 354: until then nothing can have been taken.
      const text = new Readable({
        read() {
          textSent = true
          this.push(raw)
          this.push(null)
        },
      })
      const connection = new SMTPConnection(options)
      try {
        const reply = await converse(connection, signal, auth, { from: sender, to: [mail.to] }, text)
        return { outcome: 'accepted', reply: clip(reply) }
      } catch (error) {
        signal.throwIfAborted()
        const delivery = deliveryOf(error as SmtpError, textSent)
        if (delivery) return delivery
        throw new SafepointError('mail_unanswered', 'The mail was sent, and the answer of the relay was lost.', {
          cause: error,
          effect: 'unknown',
          retryable: true,
        })
      } finally {
        connection.close()
      }
    },
  }
}

const loopback = /^(localhost|127(\.\d+){3}|::1)$/

interface SmtpError extends Error {
  readonly code?: string
  readonly command?: string
  readonly responseCode?: number
  readonly response?: string
}

/** What an error says of the mail; `undefined`: nothing that can be relied on. */
function deliveryOf(error: SmtpError, textSent: boolean): Delivery | undefined {
  const reply = clip(error.response ?? error.message)
  if (error.responseCode !== undefined && error.responseCode >= 400) {
    // What is wrong between this shop and its relay, such as a password (RFC 4954: 53x), is not the mail's fault.
    const ofMail = /^(MAIL FROM|RCPT TO|DATA)/.test(error.command ?? '') && !/^53\d$/.test(String(error.responseCode))
    return { outcome: error.responseCode >= 500 && ofMail ? 'refused' : 'deferred', reply }
  }
  // An address that cannot be written into a command, or a text that is too large.
  if (!textSent && (error.code === 'EENVELOPE' || error.code === 'EMESSAGE')) return { outcome: 'refused', reply }
  return textSent ? undefined : { outcome: 'deferred', reply }
}

const clip = (reply: string): string => reply.replace(/\s+/g, ' ').trim().slice(0, 500)

type Envelope = Parameters<SMTPConnection['send']>[0]

/** One mail over one connection; answers what the relay said to its text. */
function converse(
  connection: SMTPConnection,
  signal: AbortSignal,
  auth: { readonly user: string; readonly pass: string } | undefined,
  envelope: Envelope,
  text: Readable,
): Promise<string> {
  return new Promise<string>((resolve, reject) => {
    const stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
    const end = (error: Error | null | undefined, reply = '') => {
      signal.removeEventListener('abort', stop)
      if (error) reject(error)
      else resolve(reply)
    }
    connection.on('error', (error: Error) => end(error))
    connection.once('end', () => end(new Error('The relay has closed the connection.')))
    const send = () =>
      connection.send(envelope, text, (error, info) => {
        end(error, info?.response)
        if (!error) connection.quit()
      })
    connection.connect((failed) => {
      if (failed) return end(failed)
      if (!auth) return send()
      if (!connection.allowsAuth) return end(new Error('The relay offers no authentication.'))
      connection.login(auth, (refused) => (refused ? end(refused) : send()))
    })
  })
}
