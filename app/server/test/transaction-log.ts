import { startTcpProxy, type Link } from '../../../safepoint/test/support/tcp-proxy.ts'

/** Frontend messages of one connection, as far as they have arrived. */
interface Conversation {
  bytes: Buffer
  started: boolean
  /** The statement that the last Bind was of. */
  bound: string
  open: string[] | undefined
}

/**
 * A proxy before a PostgreSQL that writes down what transactions are made of: it reads the client's side of the protocol
 * (https://www.postgresql.org/docs/current/protocol-message-formats.html) and counts every Execute and Query between BEGIN and
 * COMMIT. Statements are told by their names, as the server sees them.
 */
export async function startTransactionLog(target: string) {
  const committed: string[][] = []
  const conversations = new WeakMap<Link, Conversation>()
  const execute = (conversation: Conversation, statement: string) => {
    if (/^(sp_)?begin/.test(statement)) conversation.open = []
    else if (/^(sp_)?commit/.test(statement)) {
      if (conversation.open) committed.push(conversation.open)
      conversation.open = undefined
    } else if (/^(sp_)?rollback/.test(statement)) conversation.open = undefined
    else conversation.open?.push(statement)
  }
  const proxy = await startTcpProxy(target, {
    intercept(from, bytes, link) {
      if (from === 'server') return 'forward'
      let conversation = conversations.get(link)
      if (!conversation)
        conversations.set(link, (conversation = { bytes: Buffer.alloc(0), started: false, bound: '', open: undefined }))
      conversation.bytes = Buffer.concat([conversation.bytes, bytes])
      for (let message; (message = takeMessage(conversation));) {
        const { type, body } = message
        // Bind names the portal, then the statement; Execute the portal alone.
        if (type === 'B') conversation.bound = textAt(body, body.indexOf(0) + 1)
        else if (type === 'E') execute(conversation, conversation.bound)
        else if (type === 'Q') execute(conversation, textAt(body, 0).toLowerCase())
      }
      return 'forward'
    },
  })
  return {
    url: proxy.url,
    close: proxy.close,
    /** What was committed since the last call: the statements of each transaction that has one of this name. */
    take(statement: string): string[][] {
      return committed.splice(0).filter((statements) => statements.includes(statement))
    },
  }
}

function takeMessage(conversation: Conversation): { readonly type: string; readonly body: Buffer } | undefined {
  const { bytes, started } = conversation
  // The first message of a client has a length and no type.
  const head = started ? 1 : 0
  if (bytes.length < head + 4) return undefined
  const end = head + bytes.readInt32BE(head)
  if (bytes.length < end) return undefined
  conversation.started = true
  conversation.bytes = bytes.subarray(end)
  return { type: started ? String.fromCharCode(bytes[0]!) : '', body: bytes.subarray(head + 4, end) }
}

const textAt = (body: Buffer, start: number) => body.toString('utf8', start, body.indexOf(0, start))
