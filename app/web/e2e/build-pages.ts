import { execFile } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'
import { until } from '../../../safepoint/test/support/until.ts'

const web = path.join(import.meta.dirname, '..')
const sources = [web, path.join(web, '..', 'client'), path.join(web, '..', '..', 'safepoint', 'src')]
const entry = path.join(web, 'dist', 'index.html')
const lock = path.join(web, '..', '..', 'node_modules', '.cache', 'pages.lock')
/** Milliseconds; a build takes a few seconds, so that whoever has had the lock for longer is gone. */
const longest = 60_000

/**
 * The pages as the server serves them, built where a source is newer. One test file builds, the others wait for it: a build
 * empties the folder that a server may be serving from.
 */
export async function buildPages(): Promise<void> {
  fs.mkdirSync(path.dirname(lock), { recursive: true })
  await until(() => takeLock(), { timeoutMs: longest + 5_000 })
  try {
    if (!isUpToDate()) await build()
  } finally {
    fs.rmSync(lock, { recursive: true, force: true })
  }
}

function takeLock(): boolean {
  try {
    fs.mkdirSync(lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const { mtimeMs } = fs.statSync(lock, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() }
    if (Date.now() - mtimeMs > longest) fs.rmSync(lock, { recursive: true, force: true })
    return false
  }
}

function isUpToDate(): boolean {
  const built = fs.statSync(entry, { throwIfNoEntry: false })?.mtimeMs
  if (built === undefined) return false
  return !sources.some((folder) =>
    fs.readdirSync(folder, { recursive: true, withFileTypes: true }).some((one) => {
      const file = path.join(one.parentPath, one.name)
      return one.isFile() && !file.startsWith(path.dirname(entry)) && fs.statSync(file).mtimeMs > built
    }),
  )
}

/** In a process of its own: under a test runner's NODE_ENV the pages would be built for development. */
async function build(): Promise<void> {
  const vite = path.join(path.dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin', 'vite.js')
  const { NODE_ENV: _, VITEST: __, ...env } = process.env
  await promisify(execFile)(process.execPath, [vite, 'build', web, '--logLevel', 'warn'], { env })
}
