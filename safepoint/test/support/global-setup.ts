import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { claimExclusively } from '../../src/testkit/index.ts'
import { startDatabaseBroker } from './database-broker.ts'

declare module 'vitest' {
  interface ProvidedContext {
    databaseBroker: string
  }
}

const prefix = `safepoint-test-${process.getuid?.() ?? 0}-`
const keptMark = 'kept'
const keepFor = 24 * 3600 * 1000
const keepMost = 3

/** Lends every test file its databases; what the servers held is removed at the end, unless a test that failed kept one. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  sweep()
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), prefix))
  claimExclusively(folder, 'run')
  const broker = await startDatabaseBroker(folder)
  project.provide('databaseBroker', broker.url)
  return async () => {
    const kept = await broker.listLeft()
    await broker.close()
    if (kept.length === 0) return fs.rmSync(folder, { recursive: true, force: true })
    fs.writeFileSync(path.join(folder, keptMark), kept.join('\n'))
    console.log(`Kept for a day: ${kept.join(', ')}. To look inside: npm run database -- ${folder}`)
  }
}

/** Folders of runs that were killed, and kept ones that nobody wants any more. */
function sweep(): void {
  const keptAt = (folder: string) =>
    fs.statSync(path.join(folder, keptMark), { throwIfNoEntry: false })?.mtimeMs ?? Infinity
  const folders = fs
    .readdirSync(os.tmpdir())
    .filter((entry) => entry.startsWith(prefix))
    .map((entry) => path.join(os.tmpdir(), entry))
  const wanted = folders
    .filter((folder) => Date.now() - keptAt(folder) < keepFor && keptAt(folder) !== Infinity)
    .sort((a, b) => keptAt(b) - keptAt(a))
    .slice(0, keepMost)
  for (const folder of folders.filter((entry) => !wanted.includes(entry))) {
    try {
      if (claimExclusively(folder, 'run').held) fs.rmSync(folder, { recursive: true, force: true })
    } catch {
      // Another run is just removing it.
    }
  }
}
