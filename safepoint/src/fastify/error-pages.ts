import type { FastifyInstance } from 'fastify'
import { SafepointError } from '../errors.ts'
import { retryableCodes } from '../protocol.ts'
import { languageOf } from './problem.ts'
import { retryableHttpCodes, type Language, type ProblemKind, type ProblemTable } from './problem-table.ts'
import { ownSchema } from './route-schema.ts'

/**
 * Serves what the `type` of a problem points at: `GET <errorsPath>` and `GET <errorsPath>/<code>`, as HTML, or as Markdown
 * where `Accept` prefers that; in the language of `Accept-Language`. Open to everybody.
 */
export function errorPages(app: FastifyInstance, errorsPath: string, table: ProblemTable): void {
  const html = (title: string, body: string, language: Language) =>
    `<!doctype html>
<html lang="${language}" dir="${language === 'he' ? 'rtl' : 'ltr'}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
${body}
</html>
`
  const base = app.prefix + errorsPath
  const page = { schema: { type: 'string' } }
  const response = { 200: { description: 'The page.', content: { 'text/html': page, 'text/markdown': page } } }

  app.get(
    errorsPath,
    ownSchema({ summary: 'Every error code', tags: ['errors'], security: [], response }),
    (request, reply) => {
      const language = languageOf(request.headers['accept-language'])
      reply.header('vary', 'Accept, Accept-Language')
      if (wantsMarkdown(request.headers.accept))
        return reply.type('text/markdown; charset=utf-8').send(errorsMarkdown(table))
      const rows = codesOf(table).map(
        ([code, kind]) =>
          `<li><a href="${escapeHtml(`${base}/${encodeURIComponent(code)}`)}"><code>${escapeHtml(code)}</code></a> ${kind.status}: ${escapeHtml(kind.title[language])}</li>`,
      )
      return reply
        .type('text/html; charset=utf-8')
        .send(html('Errors', `<h1>Errors</h1>\n<ul>\n${rows.join('\n')}\n</ul>`, language))
    },
  )

  app.get<{ Params: { code: string } }>(
    `${errorsPath}/:code`,
    ownSchema({
      summary: 'What an error code means',
      tags: ['errors'],
      security: [],
      params: { code: 'The `code` of a problem.' },
      response,
    }),
    (request, reply) => {
      const { code } = request.params
      const kind = Object.hasOwn(table, code) ? table[code] : undefined
      if (!kind) return reply.problem(new SafepointError('not_found', 'No such code.'))
      const language = languageOf(request.headers['accept-language'])
      reply.header('vary', 'Accept, Accept-Language')
      if (wantsMarkdown(request.headers.accept))
        return reply.type('text/markdown; charset=utf-8').send(errorMarkdown(code, kind))
      const body = [
        `<h1><code>${escapeHtml(code)}</code></h1>`,
        `<p>${kind.status}: ${escapeHtml(kind.title[language])}</p>`,
        ...(kind.detail ? [`<p>${escapeHtml(readable(kind.detail[language]))}</p>`] : []),
        ...(kind.remedy ? [`<p lang="en" dir="ltr">${escapeHtml(kind.remedy)}</p>`] : []),
      ]
      return reply
        .type('text/html; charset=utf-8')
        .send(html(`${code}: ${kind.title[language]}`, body.join('\n'), language))
    },
  )
}

/** All codes of a table as one Markdown document; `docs/errors.md` is this. */
export function errorsMarkdown(table: ProblemTable): string {
  const sections = codesOf(table).map(([code, kind]) => errorMarkdown(code, kind, '##'))
  return `# Errors

Every error is \`application/problem+json\` (RFC 9457). \`code\` is contract and never changes; \`title\` and \`detail\` follow
\`Accept-Language\`. \`retryable\` says whether the same request may be sent again under the same key.

${sections.join('\n')}`
}

function errorMarkdown(code: string, kind: ProblemKind, heading = '#'): string {
  const retryable = retryableCodes.has(code) || retryableHttpCodes.has(code)
  return `${heading} ${code}

**${kind.status}** ${kind.title.en}. ${retryable ? 'Retryable under the same key. ' : ''}${kind.detail ? readable(kind.detail.en) : ''}
${kind.remedy ? `\n${kind.remedy}\n` : ''}`
}

const codesOf = (table: ProblemTable) => Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1))

const wantsMarkdown = (accept: string | undefined) =>
  /\btext\/(markdown|plain)\b/.test(accept ?? '') && !/\btext\/html\b/.test(accept ?? '')

const readable = (detail: string) => detail.replace(/\{(\w+)\}/g, '`$1`')

const escapeHtml = (text: string) =>
  text.replace(
    /[&<>"']/g,
    (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[character]!,
  )
