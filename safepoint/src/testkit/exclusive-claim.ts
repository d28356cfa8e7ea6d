import fs from 'node:fs'
import path from 'node:path'
import { findProcessIdentity } from './process-identity.ts'

/** Who holds a claim: a running process. */
export interface ClaimHolder {
  pid: number
  identity: string
}

export type ClaimAnswer =
  /** Ours until `release()` or the end of this process, however it ends. */
  | { held: true; release: () => void }
  /** A running process has it. */
  | { held: false; holder: ClaimHolder }

/**
 * Claims `name` in `directory` for this process. At most one running process holds a claim; one that was killed holds
 * nothing, and its claim is taken over.
 *
 * Node has no file locks, and "the holder is dead, so unlink and create" lets two late-comers delete each other's fresh
 * file. Claims are therefore numbered: a claim is the highest number, a take-over is an exclusive link() of the next
 * one, and whoever finds a higher number after linking has lost.
 */
export function claimExclusively(directory: string, name: string): ClaimAnswer {
  const own: ClaimHolder = { pid: process.pid, identity: findProcessIdentity(process.pid) ?? 'unknown' }
  const draft = path.join(directory, `${name}.${process.pid}-${Math.random().toString(36).slice(2)}.draft`)
  fs.writeFileSync(draft, JSON.stringify(own), { mode: 0o600 })
  try {
    for (;;) {
      const highest = listClaims(directory, name).at(-1)
      if (highest !== undefined) {
        const holder = readHolder(claimPath(directory, name, highest))
        if (holder === 'gone') continue
        if (holder !== undefined && findProcessIdentity(holder.pid) === holder.identity) return { held: false, holder }
      }
      const mine = (highest ?? 0) + 1
      try {
        // link() and not open(O_EXCL): the file is never seen without its content.
        fs.linkSync(draft, claimPath(directory, name, mine))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue
        throw error
      }
      const claims = listClaims(directory, name)
      if (claims.at(-1) !== mine) {
        fs.rmSync(claimPath(directory, name, mine), { force: true })
        continue
      }
      for (const older of claims) if (older < mine) fs.rmSync(claimPath(directory, name, older), { force: true })
      return { held: true, release: () => fs.rmSync(claimPath(directory, name, mine), { force: true }) }
    }
  } finally {
    fs.rmSync(draft, { force: true })
  }
}

function claimPath(directory: string, name: string, number: number): string {
  return path.join(directory, `${name}.${number}.claim`)
}

function listClaims(directory: string, name: string): number[] {
  return fs
    .readdirSync(directory)
    .filter((file) => file.startsWith(`${name}.`) && file.endsWith('.claim'))
    .map((file) => Number(file.slice(name.length + 1, -'.claim'.length)))
    .filter(Number.isSafeInteger)
    .sort((a, b) => a - b)
}

/** `gone`: released in the meantime. `undefined`: unreadable (a disk that filled up), as good as dead. */
function readHolder(file: string): ClaimHolder | 'gone' | undefined {
  try {
    const { pid, identity } = JSON.parse(fs.readFileSync(file, 'utf8')) as Partial<ClaimHolder>
    return typeof pid === 'number' && typeof identity === 'string' ? { pid, identity } : undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : undefined
  }
}
