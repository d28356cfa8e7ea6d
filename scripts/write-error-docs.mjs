// Writes docs/errors.md and docs/pantry-errors.md from the tables of codes; with --check it only compares, and fails where they differ.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { problems } from '../app/server/problems.ts'
import { errorsMarkdown, problemTable } from '../safepoint/src/fastify/index.ts'

const pages = [
  {
    file: 'errors.md',
    text: `<!-- Written by scripts/write-error-docs.mjs; edit the table in safepoint/src/fastify/problem-table.ts instead. -->\n\n${errorsMarkdown(problemTable)}`,
  },
  {
    file: 'pantry-errors.md',
    text: `<!-- Written by scripts/write-error-docs.mjs; edit the tables that app/server/problems.ts puts together instead. -->\n\n${errorsMarkdown(problems).replace('# Errors', '# Errors of the shop, besides [those of the engine](errors.md)')}`,
  },
]

for (const { file, text } of pages) {
  const place = new URL(`../docs/${file}`, import.meta.url)
  if (process.argv.includes('--check')) {
    if ((await readFile(place, 'utf8').catch(() => '')) !== text) {
      console.error(`docs/${file} is not what the table of codes says: npm run docs:write mends it`)
      process.exitCode = 1
    }
  } else {
    await mkdir(new URL('.', place), { recursive: true })
    await writeFile(place, text)
  }
}
