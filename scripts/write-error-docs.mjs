// Writes docs/errors.md from the table of codes; with --check it only compares, and fails where they differ.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { errorsMarkdown, problemTable } from '../safepoint/src/fastify/index.ts'

const file = new URL('../docs/errors.md', import.meta.url)
const wanted = `<!-- Written by scripts/write-error-docs.mjs; edit the table in safepoint/src/fastify/problem-table.ts instead. -->\n\n${errorsMarkdown(problemTable)}`

if (process.argv.includes('--check')) {
  const present = await readFile(file, 'utf8').catch(() => '')
  if (present !== wanted) {
    console.error('docs/errors.md is not what the table of codes says: run node scripts/write-error-docs.mjs')
    process.exitCode = 1
  }
} else {
  await mkdir(new URL('.', file), { recursive: true })
  await writeFile(file, wanted)
}
