import fs from 'node:fs'
import path from 'node:path'
import { findProcessCommand, findProcessIdentity } from './process-identity.ts'
import { serverAccount } from './postgres-binaries.ts'

/** A running server process as its own `postmaster.pid` describes it. */
export interface Postmaster {
  pid: number
  port: number
  status: 'starting' | 'ready' | 'stopping'
}

/** `undefined`: no server runs on this cluster; a `postmaster.pid` left behind by a dead one does not count. */
export function findPostmaster(cluster: string): Postmaster | undefined {
  let lines: string[]
  try {
    lines = fs.readFileSync(path.join(cluster, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return undefined
  }
  const pid = Number(lines[0])
  if (!Number.isSafeInteger(pid) || pid <= 0 || findProcessIdentity(pid) === undefined) return undefined
  // The pid may have gone to another program since.
  if (!/(^|\/)postgres(\s|:|$)/.test(findProcessCommand(pid) ?? 'postgres')) return undefined
  const status = lines[7]?.trim()
  return {
    pid,
    port: Number(lines[3]),
    status: status === 'ready' || status === 'stopping' ? status : 'starting',
  }
}

/** Where a server process finds a folder that was handed to it as descriptor 3. */
export interface ServerFolder {
  path: string
  stdio: number | 'ignore'
  close: () => void
}

/**
 * Opens a folder for a server under another account, which may not be able to walk to it (a checkout below `/root`).
 * On Linux it gets the open folder itself, as `/proc/self/fd/3`; elsewhere the path.
 */
export function openServerFolder(folder: string): ServerFolder {
  if (process.platform !== 'linux' || serverAccount().uid === undefined)
    return { path: folder, stdio: 'ignore', close: () => {} }
  const descriptor = fs.openSync(folder, 'r')
  return { path: '/proc/self/fd/3', stdio: descriptor, close: () => fs.closeSync(descriptor) }
}

/**
 * Fast shutdown (open transactions are rolled back), and after `patience` ms an immediate one; one that was suspended goes on
 * first. Resolves when it is gone.
 */
export async function stopPostmaster(pid: number, patience: number): Promise<void> {
  const identity = findProcessIdentity(pid)
  const isThere = () => identity !== undefined && findProcessIdentity(pid) === identity
  const began = performance.now()
  let sent: NodeJS.Signals | undefined
  while (isThere()) {
    const signal = performance.now() - began > patience ? 'SIGQUIT' : 'SIGINT'
    if (signal !== sent) {
      send(pid, signal)
      send(pid, 'SIGCONT')
    }
    sent = signal
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It ended in the meantime.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
