import type { Answer, Request } from '../simulator-server.ts'
import { escape, testPage } from '../test-page.ts'
import type { InboxMessage, Mailbox } from './mailbox.ts'

/**
 * What was sent, to read in a browser or a test: `/` lists it, `/messages/:number` is one mail, `/messages/:number/html` its HTML
 * alone, and `/messages.json?to=` says all of it as data.
 */
export function serveInbox(mailbox: Mailbox, { method, url }: Request): Answer {
  if (method !== 'GET') return page(405, 'Not here', '<p>This inbox is only read.</p>')
  const to = url.searchParams.get('to') ?? undefined
  if (url.pathname === '/') return inboxPage(mailbox.inbox(to))
  if (url.pathname === '/messages.json') {
    return {
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
      body: JSON.stringify({ messages: mailbox.inbox(to) }),
    }
  }
  const [, number, html] = /^\/messages\/(\d+)(\/html)?$/.exec(url.pathname) ?? []
  const message = number === undefined ? undefined : mailbox.find(Number(number))
  if (!message) return page(404, 'Not found', '<p>There is no such mail.</p>')
  return html ? htmlOf(message) : messagePage(message)
}

function inboxPage(messages: readonly InboxMessage[]): Answer {
  const rows = messages.map(
    (message) => `<tr><td>${at(message)}</td><td>${escape(message.to.join(', '))}</td>
<td><a href="/messages/${message.number}"><bdi>${escape(message.subject)}</bdi></a></td></tr>`,
  )
  const list =
    rows.length === 0
      ? '<p>Nothing has been sent yet.</p>'
      : `<table><thead><tr><th>Sent</th><th>To</th><th>Subject</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`
  return page(200, 'Inbox', list, '<meta http-equiv="refresh" content="5">')
}

function messagePage(message: InboxMessage): Answer {
  return page(
    200,
    message.subject,
    `<p><a href="/">Inbox</a></p>
<dl><dt>From</dt><dd>${escape(message.from)}</dd><dt>To</dt><dd>${escape(message.to.join(', '))}</dd>
<dt>Sent</dt><dd>${at(message)}</dd><dt>Message-ID</dt><dd><code>${escape(message.messageId ?? 'none')}</code>${
      message.accepted > 1 ? `, received ${message.accepted} times and kept once` : ''
    }</dd></dl>
<iframe title="HTML" src="/messages/${message.number}/html" sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>
<details><summary>As text</summary><pre dir="auto">${escape(message.text)}</pre></details>`,
  )
}

/** Its links open outside of the frame; nothing in it runs or is fetched. */
function htmlOf({ html }: InboxMessage): Answer {
  return {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups allow-popups-to-escape-sandbox",
      'referrer-policy': 'no-referrer',
    },
    body: html.replace(/<head>/i, '<head><base target="_blank">'),
  }
}

function page(status: number, title: string, content: string, head = ''): Answer {
  const note = 'Simulated mailbox. Nothing here was delivered to anybody.'
  return testPage({ status, title, note, content, head, policy: "frame-src 'self'", wide: true })
}

const at = ({ receivedAt }: InboxMessage): string =>
  new Date(receivedAt.wall).toISOString().slice(0, 19).replace('T', ' ')
