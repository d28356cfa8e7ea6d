import type { Answer, Request } from '../simulator-server.ts'
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
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'",
    },
    body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">${head}<title>${escape(title)}</title>
<style>body{font:16px system-ui;max-width:56rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}
td,th{text-align:start;padding:.5rem;border-bottom:1px solid #ccc}iframe{width:100%;height:32rem;border:1px solid #ccc}dt{font-weight:600}dd{margin:0 0 .5rem}pre{white-space:pre-wrap}</style></head>
<body><h1 dir="auto">${escape(title)}</h1><p><small>Simulated mailbox. Nothing here was delivered to anybody.</small></p>${content}</body></html>`,
  }
}

const at = ({ receivedAt }: InboxMessage): string =>
  new Date(receivedAt.wall).toISOString().slice(0, 19).replace('T', ' ')

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
