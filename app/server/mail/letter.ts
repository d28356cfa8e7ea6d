import type { Locale } from '../accounts/accounts.ts'
import type { Money } from '../catalog/money.ts'

/** A mail as it is sent: the same words as text and as HTML. */
export interface RenderedMail {
  readonly subject: string
  readonly text: string
  readonly html: string
}

/** What a letter is made of. Whatever stands in it is text: only {@link renderLetter} writes HTML, and it escapes everything. */
export type LetterPart =
  | { readonly part: 'paragraph'; readonly text: string }
  | {
      readonly part: 'lines'
      readonly lines: readonly { readonly name: string; readonly quantity: number; readonly price: string }[]
      readonly total: { readonly label: string; readonly price: string }
    }
  | { readonly part: 'address'; readonly title: string; readonly lines: readonly string[] }
  | { readonly part: 'link'; readonly text: string; readonly url: string }

export interface Letter {
  readonly subject: string
  readonly parts: readonly LetterPart[]
}

const direction = { en: 'ltr', he: 'rtl' } as const

/** Both forms of a letter; of Hebrew from right to left. */
export function renderLetter(letter: Letter, locale: Locale): RenderedMail {
  const parts = letter.parts.map((part) => htmlOf(part)).join('\n')
  return {
    subject: letter.subject,
    text: `${letter.parts.map((part) => textOf(part, locale)).join('\n\n')}\n\n-- \nPantry\n`,
    html: `<!doctype html>
<html lang="${locale}" dir="${direction[locale]}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(letter.subject)}</title></head>
<body dir="${direction[locale]}" style="margin:0;padding:24px;font:16px/1.5 system-ui,sans-serif;color:#1d1d1b;background:#fff">
<div style="max-width:36rem;margin:0 auto;text-align:start">
<h1 style="font-size:22px;line-height:1.3">${escapeHtml(letter.subject)}</h1>
${parts}
<p style="color:#6b6b66">Pantry</p>
</div>
</body>
</html>
`,
  }
}

function htmlOf(part: LetterPart): string {
  switch (part.part) {
    case 'paragraph':
      return `<p>${escapeHtml(part.text)}</p>`
    case 'lines': {
      const cell = 'padding:6px 0;border-bottom:1px solid #ddd;vertical-align:top'
      const rows = part.lines.map(
        ({ name, quantity, price }) =>
          `<tr><td style="${cell}">${quantity} × ${own(name)}</td><td style="${cell};text-align:end">${own(price)}</td></tr>`,
      )
      return `<table role="presentation" style="width:100%;border-collapse:collapse">
${rows.join('\n')}
<tr><td style="padding:6px 0"><strong>${escapeHtml(part.total.label)}</strong></td><td style="padding:6px 0;text-align:end"><strong>${own(part.total.price)}</strong></td></tr>
</table>`
    }
    case 'address':
      return `<p><strong>${escapeHtml(part.title)}</strong><br>${part.lines.map(own).join('<br>')}</p>`
    case 'link':
      return `<p><a href="${escapeHtml(part.url)}">${escapeHtml(part.text)}</a></p>`
  }
}

function textOf(part: LetterPart, locale: Locale): string {
  switch (part.part) {
    case 'paragraph':
      return part.text
    case 'lines':
      return [
        ...part.lines.map(({ name, quantity, price }) => `${quantity} × ${isolate(name, locale)}  ${price}`),
        `${part.total.label}: ${part.total.price}`,
      ].join('\n')
    case 'address':
      return [`${part.title}:`, ...part.lines.map((line) => isolate(line, locale))].join('\n')
    case 'link':
      return `${part.text}:\n${part.url}`
  }
}

/** Somebody's own words, whose direction is not the letter's. */
const own = (text: string): string => `<bdi>${escapeHtml(text)}</bdi>`

const foreign = { en: /[\u0590-\u08ff]/, he: /[A-Za-z]/ } as const

/** The same in plain text: FIRST STRONG ISOLATE to POP DIRECTIONAL ISOLATE (Unicode UAX 9), where it would be torn apart otherwise. */
const isolate = (text: string, locale: Locale): string => (foreign[locale].test(text) ? `\u2068${text}\u2069` : text)

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** Integer minor units as a person reads them. Formatted from a decimal string: no float comes near it. */
export function formatMoney({ amount, currency }: Money, locale: Locale): string {
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency })
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2
  const minor = String(Math.abs(amount)).padStart(digits + 1, '0')
  const whole = minor.slice(0, minor.length - digits)
  const decimal = `${amount < 0 ? '-' : ''}${whole}${digits > 0 ? `.${minor.slice(-digits)}` : ''}`
  return format.format(decimal as Intl.StringNumericLiteral)
}
