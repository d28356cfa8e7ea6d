import fs from 'node:fs'
import path from 'node:path'
import { SafepointError } from 'safepoint'
import { claimExclusively, findProcessIdentity, type ClaimAnswer } from 'safepoint/testkit'
import { ConfigError } from './config.ts'

/** The process that runs on a DATA_DIR, as it wrote it down for workers and the command line. */
export interface Owner {
  pid: number
  /** Start time of that process: tells it from a later one with the same pid. */
  identity: string
  startedAt: string
  /** Where it listens; absent while it is starting. */
  url?: string
  /** Includes the password: the file is its owner's alone (mode 0600). */
  databaseUrl?: string
}

export interface Ownership {
  /** Tells others where to attach. */
  publish: (details: { url: string; databaseUrl: string }) => void
  release: () => void
}

const ownerFile = 'owner.json'
/** By this file `npm run reset` knows that a folder is ours to delete. */
export const markerFile = '.pantry'

/**
 * Makes this process the one owner of `dataDir`. Throws SafepointError `data_dir_owned` (`details`: pid, url) while
 * another process is, ConfigError where there can be no such folder; what a killed one left is taken over.
 */
export function claimOwnership(dataDir: string): Ownership {
  let claim: ClaimAnswer
  try {
    makeFolder(dataDir)
    claim = claimExclusively(dataDir, 'owner')
  } catch (error) {
    throw new ConfigError(`DATA_DIR ${dataDir} cannot be used: ${(error as Error).message}`)
  }
  if (!claim.held) {
    const { pid } = claim.holder
    const url = findOwner(dataDir)?.url
    throw new SafepointError(
      'data_dir_owned',
      `Pantry runs on ${dataDir} already: process ${pid}${url === undefined ? ', still starting' : `, at ${url}`}. ` +
        'Use that one, stop it, or set DATA_DIR (and PORT) for a second one.',
      { details: { pid, url } },
    )
  }
  fs.writeFileSync(path.join(dataDir, markerFile), 'Data of Pantry. `npm run reset` deletes this folder.\n')
  const owner: Owner = {
    pid: process.pid,
    identity: findProcessIdentity(process.pid) ?? 'unknown',
    startedAt: new Date().toISOString(),
  }
  write(dataDir, owner)
  return {
    publish: (details) => write(dataDir, { ...owner, ...details }),
    release: () => {
      fs.rmSync(path.join(dataDir, ownerFile), { force: true })
      claim.release()
    },
  }
}

/** The running owner of `dataDir`, to attach to. */
export function findOwner(dataDir: string): Owner | undefined {
  let owner: Owner
  try {
    owner = JSON.parse(fs.readFileSync(path.join(dataDir, ownerFile), 'utf8'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM') throw error
    return undefined
  }
  return findProcessIdentity(owner.pid) === owner.identity ? owner : undefined
}

/** With what is missing above it. Node's own way of that never returns where a folder takes none, as /proc. */
function makeFolder(folder: string): void {
  if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return
  const above = path.dirname(folder)
  if (!fs.existsSync(above)) makeFolder(above)
  try {
    fs.mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    // Another process was faster.
    if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error
  }
}

/** Whole or not at all: a reader never sees half a file. */
function write(dataDir: string, owner: Owner): void {
  const draft = path.join(dataDir, `${ownerFile}.${process.pid}.draft`)
  fs.writeFileSync(draft, `${JSON.stringify(owner, null, 2)}\n`, { mode: 0o600 })
  fs.renameSync(draft, path.join(dataDir, ownerFile))
}
