// `npm run reset`: deletes DATA_DIR, the embedded database and the uploaded files in it.
import fs from 'node:fs'
import path from 'node:path'
import readline from 'node:readline/promises'
import { findOwner, markerFile } from '../app/server/owner.ts'
import { claimExclusively } from '../safepoint/src/testkit/index.ts'

const dataDir = path.resolve(process.env.DATA_DIR ?? '.data')
process.exitCode = (await reset()) ? 0 : 1

async function reset(): Promise<boolean> {
  if (!fs.existsSync(dataDir)) return say(`There is no ${dataDir}: nothing to reset.`)
  if (!fs.existsSync(path.join(dataDir, markerFile)))
    return refuse(`${dataDir} does not look like Pantry's data (no ${markerFile} in it). Not touched.`)
  const owner = findOwner(dataDir)
  const claim = claimExclusively(dataDir, 'owner')
  if (!claim.held) {
    return refuse(
      `Pantry runs on ${dataDir} (process ${claim.holder.pid}${owner?.url === undefined ? '' : `, ${owner.url}`}). Stop it first.`,
    )
  }
  try {
    if (process.stdin.isTTY && !(await confirm())) return refuse('Nothing deleted.')
    fs.rmSync(dataDir, { recursive: true, force: true })
    return say(`Deleted ${dataDir}. The next start fills a new one.`)
  } finally {
    claim.release()
  }
}

async function confirm(): Promise<boolean> {
  const terminal = readline.createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(`Delete ${dataDir}, database and files? [y/N] `)
  terminal.close()
  return /^y(es)?$/i.test(answer.trim())
}

function say(line: string): true {
  console.log(line)
  return true
}

function refuse(line: string): false {
  console.error(line)
  return false
}
