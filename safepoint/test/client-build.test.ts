import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { startClientServer } from './support/client-server.ts'

const run = promisify(execFile)
const source = path.join(import.meta.dirname, '../src/client')
const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')

test('the client compiles without Node types, imports nothing but the protocol, and the compiled files run', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'safepoint-client-'))
  const server = await startClientServer()
  try {
    const emit = ['--noEmit', 'false', '--allowImportingTsExtensions', 'false', '--rewriteRelativeImportExtensions']
    await run(process.execPath, [tsc, '-p', source, ...emit, '--outDir', directory, '--rootDir', path.dirname(source)])
    await writeFile(path.join(directory, 'package.json'), '{"type":"module"}')

    const files = (await readdir(directory, { recursive: true })).filter((file) => file.endsWith('.js'))
    expect(files).toContain(path.join('client', 'index.js'))
    for (const file of files) {
      const text = await readFile(path.join(directory, file), 'utf8')
      const imports = [...text.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(
        ([, specifier]) => specifier,
      )
      for (const specifier of imports) expect(specifier).toMatch(/^(\.\/[\w-]+\.js|\.\.\/protocol\.js)$/)
      expect(text).not.toMatch(/\brequire\(|\bprocess\.|\bBuffer\./)
    }

    const script = `
      import { createClient } from './client/index.js'
      const verdict = await createClient({ baseUrl: process.argv[2] }).post('/api/things', { n: 1 })
      process.stdout.write(JSON.stringify(verdict))`
    await writeFile(path.join(directory, 'run.js'), script)
    const { stdout, stderr } = await run(process.execPath, [path.join(directory, 'run.js'), server.url])
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'succeeded', result: { got: { n: 1 } } })
    expect(stderr).toBe('')
  } finally {
    await server.close()
    await rm(directory, { recursive: true })
  }
})
