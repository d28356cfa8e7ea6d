import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { Socket } from 'node:net'
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
  if (!(findProcessCommand(pid) ?? 'postgres').includes('postgres')) return undefined
  const status = lines[7]?.trim()
  return {
    pid,
    port: Number(lines[3]),
    status: status === 'ready' || status === 'stopping' ? status : 'starting',
  }
}

/**
 * Runs under `sh` beside the server: when our end of descriptor 4 is closed, which the kernel does however this process
 * ends, the server is shut down cleanly. It costs one shell, and no server outlives its owner.
 */
const launchScript = `
"$@" 4<&- &
server=$!
( read -r _ <&4; kill -INT "$server" ) 3<&- &
watch=$!
wait "$server"
code=$?
kill "$watch" 2>/dev/null
exit "$code"`

const watchScript = 'read -r _ <&4; kill -INT "$1"'

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
  if (process.platform !== 'linux' || serverAccount().uid === undefined) return { path: folder, stdio: 'ignore', close: () => {} }
  const descriptor = fs.openSync(folder, 'r')
  return { path: '/proc/self/fd/3', stdio: descriptor, close: () => fs.closeSync(descriptor) }
}

export const serverEnvironment = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', LANG: 'C' }

/** Starts `postgres` on the folder, tied to the life of this process; does not keep this process alive. */
export function launchPostmaster(options: { postgres: string; folder: ServerFolder; args: string[]; log: number }): ChildProcess {
  const { postgres, folder, args, log } = options
  return unreferenced(
    spawn('/bin/sh', ['-c', launchScript, 'sh', postgres, '-D', folder.path, ...args], {
      ...serverAccount(),
      cwd: '/',
      env: serverEnvironment,
      // A session of its own, so that Ctrl-C in a terminal reaches the owner, who decides when the database stops.
      detached: true,
      stdio: ['ignore', log, log, folder.stdio, 'pipe'],
    }),
  )
}

/** Ties a server that outlived its owner to the life of this process. */
export function adoptPostmaster(pid: number): ChildProcess {
  return unreferenced(
    spawn('/bin/sh', ['-c', watchScript, 'sh', String(pid)], {
      ...serverAccount(),
      cwd: '/',
      env: serverEnvironment,
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ignore', 'pipe'],
    }),
  )
}

function unreferenced(child: ChildProcess): ChildProcess {
  child.unref()
  const leash = child.stdio[4] as Socket | null
  leash?.unref()
  leash?.on('error', () => {})
  return child
}

/** Fast shutdown (open transactions are rolled back), and after `patience` ms an immediate one. Resolves when it is gone. */
export async function stopPostmaster(pid: number, patience: number): Promise<void> {
  const identity = findProcessIdentity(pid)
  const isThere = () => identity !== undefined && findProcessIdentity(pid) === identity
  if (!isThere()) return
  const began = performance.now()
  let signal: NodeJS.Signals = 'SIGINT'
  process.kill(pid, signal)
  while (isThere()) {
    if (signal === 'SIGINT' && performance.now() - began > patience) process.kill(pid, (signal = 'SIGQUIT'))
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
