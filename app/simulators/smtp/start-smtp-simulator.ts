import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { SMTPServer, type SMTPServerSession } from 'smtp-server'
import { createCallLog, type CallLog } from '../call-log.ts'
import { createFaultQueue, type FaultQueue } from '../faults.ts'
import { keepState } from '../keep-state.ts'
import { startSimulatorServer } from '../simulator-server.ts'
import { createWebhookSender } from '../webhook-sender.ts'
import { serveInbox } from './inbox-pages.ts'
import { createMailbox, type Mailbox } from './mailbox.ts'
import { dropped, receiveMessage, SmtpReply, takeRecipient, type Envelope, type Receiver } from './receive-message.ts'

export interface SmtpSimulatorOptions {
  /** Of SMTP; 0, the default, takes a free one. */
  readonly smtpPort?: number
  /** Of the inbox and the control routes; 0, the default, takes a free one. */
  readonly port?: number
  /** Without them anybody may send. */
  readonly credentials?: { readonly user: string; readonly pass: string }
  /** A file that the messages are kept in, over restarts. */
  readonly keepIn?: string
}

export interface SmtpSimulator {
  /** The inbox to read, and `/_control`. */
  readonly url: string
  /** What to send over, credentials included. */
  readonly smtpUrl: string
  readonly mailbox: Mailbox
  /** Every `RCPT` and every `DATA`, also of a message that was there already. */
  readonly calls: CallLog
  readonly faults: FaultQueue
  close(): Promise<void>
}

const messageLimit = 5 * 1024 * 1024

/**
 * Starts a mail relay on loopback: SMTP (RFC 5321) that keeps one message for each Message-ID, as relays that de-duplicate do,
 * an inbox to read, and faults by order (see `control.ts`): `reply` to `RCPT` or `DATA`, `drop`, `delay`, `hang`. Point `executed`
 * of a `DATA`: the message is kept, and its `250` has not left.
 */
export async function startSmtpSimulator(options: SmtpSimulatorOptions = {}): Promise<SmtpSimulator> {
  const { credentials } = options
  const host = '127.0.0.1'
  const closing = new AbortController()
  const kept = keepState(options.keepIn)
  const receiver: Receiver = {
    calls: createCallLog(),
    faults: createFaultQueue(),
    mailbox: createMailbox(kept.open),
    closing: closing.signal,
  }
  const { calls, faults, mailbox } = receiver
  const sockets = new Map<number, { readonly socket: Socket; readonly left: AbortSignal }>()
  const envelopeOf = ({ envelope, remotePort }: SMTPServerSession, to: readonly string[]): Envelope => ({
    from: envelope.mailFrom ? envelope.mailFrom.address : '',
    to,
    left: sockets.get(remotePort)?.left ?? AbortSignal.abort(),
  })
  /** Answers, or cuts the connection where a fault says so. */
  const answer = async <T>(
    work: Promise<T>,
    session: SMTPServerSession,
    done: (error: Error | null, value?: T) => void,
  ): Promise<void> => {
    let value: T
    try {
      value = await work
    } catch (error) {
      if (error === dropped) sockets.get(session.remotePort)?.socket.destroy()
      else done(replyTo(error))
      return
    }
    done(null, value)
  }

  const server = new SMTPServer({
    name: 'simulator.example',
    logger: false,
    size: messageLimit,
    disabledCommands: credentials ? ['STARTTLS'] : ['STARTTLS', 'AUTH'],
    authOptional: credentials === undefined,
    allowInsecureAuth: true,
    disableReverseLookup: true,
    closeTimeout: 100,
    onAuth({ username, password }, _session, done) {
      if (username === credentials?.user && password === credentials?.pass) done(null, { user: username })
      else done(new SmtpReply(535, 'These credentials are not known'))
    },
    onRcptTo({ address }, session, done) {
      void answer(takeRecipient(receiver, envelopeOf(session, [address])), session, (error) => done(error))
    },
    onData(stream, session, done) {
      const to = session.envelope.rcptTo.map(({ address }) => address)
      const work = collect(stream).then((raw) => {
        if (stream.sizeExceeded) throw new SmtpReply(552, 'The message is too large')
        return receiveMessage(receiver, envelopeOf(session, to), raw).finally(kept.changed)
      })
      void answer(work, session, (error, text) => done(error, text))
    },
  })
  server.server.on('connection', (socket: Socket) => {
    const { remotePort } = socket
    if (remotePort === undefined) return
    const leaving = new AbortController()
    sockets.set(remotePort, { socket, left: leaving.signal })
    socket.once('close', () => {
      sockets.delete(remotePort)
      leaving.abort()
    })
  })
  // A connection that breaks is its client's business.
  server.on('error', () => {})
  server.listen(options.smtpPort ?? 0, host)
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  const login = credentials ? `${encodeURIComponent(credentials.user)}:${encodeURIComponent(credentials.pass)}@` : ''

  const web = await startSimulatorServer(
    () => ({
      calls,
      faults,
      // It has no events to deliver.
      webhooks: createWebhookSender(() => ({}), { url: null, secret: '' }),
      book: () => ({ messages: mailbox.inbox() }),
      reset: () => mailbox.clear(),
      apiPrefix: '/_none/',
      describe: () => ({ key: null, params: {} }),
      api: async () => ({ status: 404, body: '' }),
      page: async (request) => serveInbox(mailbox, request),
    }),
    { port: options.port, host, kept },
  )
  return {
    url: web.url,
    smtpUrl: `smtp://${login}${host}:${port}`,
    mailbox,
    calls,
    faults,
    async close() {
      closing.abort(new Error('the simulator is closing'))
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const { socket } of sockets.values()) socket.destroy()
      })
      await web.close()
    },
  }
}

function replyTo(error: unknown): SmtpReply {
  if (error instanceof SmtpReply) return error
  process.stderr.write(`simulator: ${error instanceof Error ? error.stack : String(error)}\n`)
  return new SmtpReply(451, 'A defect of the simulator')
}

async function collect(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
