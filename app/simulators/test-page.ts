import type { Answer } from './simulator-server.ts'

export interface TestPage {
  readonly status: number
  readonly title: string
  /** What the page is not: said above everything. */
  readonly note: string
  /** HTML; whatever is not ours in it is escaped. */
  readonly content: string
  /** More of the head, as HTML. */
  readonly head?: string
  /** More directives of the content security policy: nothing is loaded or run without one. */
  readonly policy?: string
  /** For lists; a form is read more easily in a narrow column. */
  readonly wide?: boolean
}

/** A page that a person meets at a simulator: plain HTML, one calm look for all of them. */
export function testPage({ status, title, note, content, head = '', policy, wide = false }: TestPage): Answer {
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': `default-src 'none'; style-src 'unsafe-inline'${policy ? `; ${policy}` : ''}`,
    },
    body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">${head}<title>${escape(title)}</title>
<style>${style}</style></head><body${wide ? ' class="wide"' : ''}><p class="note">${escape(note)}</p><main><h1 dir="auto">${escape(title)}</h1>${content}</main></body></html>`,
  }
}

export interface Choice {
  /** Posted as `name`=`value`. */
  readonly name: string
  readonly value: string
  readonly label: string
  /** What a press of it does, in a sentence. */
  readonly does: string
}

/** One button a line, each with what it does; the first one is what most come for. */
export function choiceButtons(choices: readonly Choice[]): string {
  return choices
    .map(
      ({ name, value, label, does }) =>
        `<p class="choice"><button name="${escape(name)}" value="${escape(value)}" aria-describedby="does-${escape(value)}">${escape(label)}</button> <span id="does-${escape(value)}">${escape(does)}</span></p>`,
    )
    .join('\n')
}

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

const style = `
:root{color-scheme:light dark;--ground:#f1f2f5;--card:#fff;--ink:#1d2430;--muted:#566072;--line:#8b93a3;--act:#27489b;--on-act:#fff;--note:#fbefcd;--on-note:#6b4a05;--bad:#a3301f}
@media (prefers-color-scheme:dark){:root{--ground:#14171c;--card:#1e232b;--ink:#e8ebf0;--muted:#a6afbe;--line:#727c8d;--act:#a9c1ff;--on-act:#12204a;--note:#3a2f17;--on-note:#ecca88;--bad:#f3a491}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
.note{margin:0;padding:.5rem 1rem;background:var(--note);color:var(--on-note);text-align:center;font-size:.875rem}
main{max-width:30rem;margin:2rem auto;padding:1.5rem 2rem 2rem;background:var(--card);border-radius:.75rem}
.wide main{max-width:60rem}
@media (max-width:34rem){main{margin:0;padding:1.25rem;border-radius:0}}
h1{margin:0 0 1rem;font-size:1.5rem;line-height:1.25}
strong{font-size:1.375rem;font-variant-numeric:tabular-nums}
[role=alert]{color:var(--bad);font-weight:600}
label{display:block;margin:1.25rem 0}
select,input{display:block;width:100%;min-height:2.75rem;margin-top:.25rem;padding:.375rem .625rem;border:1px solid var(--line);border-radius:.5rem;background:var(--card);color:inherit;font:inherit}
button{min-height:2.75rem;width:100%;padding:.5rem 1rem;border:1px solid var(--line);border-radius:.5rem;background:var(--card);color:inherit;font:inherit;font-weight:600;cursor:pointer}
form>button,.choice:first-of-type button{border-color:var(--act);background:var(--act);color:var(--on-act)}
.choice{margin:1.25rem 0 0}
.choice span,small,dt,th{color:var(--muted);font-size:.875rem;font-weight:400}
a{color:var(--act)}
:focus-visible{outline:2px solid var(--act);outline-offset:2px}
table{border-collapse:collapse;width:100%}
td,th{padding:.5rem;border-bottom:1px solid var(--line);text-align:start;vertical-align:top}
@media (max-width:34rem){thead{display:none}tr,td{display:block}td{padding:.125rem 0;border:0}tr{padding:.75rem 0;border-bottom:1px solid var(--line)}}
dd{margin:0 0 .5rem}
iframe{width:100%;height:32rem;border:1px solid var(--line);border-radius:.5rem;background:#fff}
pre{white-space:pre-wrap}
`
