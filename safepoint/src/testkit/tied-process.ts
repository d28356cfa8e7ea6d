import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { serverAccount, type ServerAccount } from './postgres-binaries.ts'

/**
 * Runs under `sh` beside the server: when our end of descriptor 4 is closed, which the kernel does however this process
 * ends, the server gets its signal to shut down. It costs one shell, and no server outlives its owner.
 */
const launchScript = `
signal=$1; shift
"$@" 4<&- &
server=$!
( read -r _ <&4; kill -"$signal" "$server" ) 3<&- &
watch=$!
wait "$server"
code=$?
kill "$watch" 2>/dev/null
exit "$code"`

export interface TiedProcess {
  command: string
  args: string[]
  /** Asks it to shut down, when this process ends. */
  endSignal: 'INT' | 'TERM'
  /** Descriptor that output goes to. */
  log: number
  /** Handed to the process as descriptor 3. */
  descriptor?: number | 'ignore'
  /** Default: `nobody` where we are root, else our own. */
  account?: ServerAccount
  env?: Record<string, string>
}

/** What servers are started with, instead of the environment of whoever starts them. */
export const serverEnvironment = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', LANG: 'C' }

/**
 * Starts a server, never as root, that ends with this process; it does not keep this process alive.
 * The child is the shell beside it, which ends with the server's exit code.
 */
export function spawnTied({
  command,
  args,
  endSignal,
  log,
  descriptor = 'ignore',
  account = serverAccount(),
  env = {},
}: TiedProcess): ChildProcess {
  return unreferenced(
    spawn('/bin/sh', ['-c', launchScript, 'sh', endSignal, command, ...args], {
      ...account,
      cwd: '/',
      env: { ...serverEnvironment, ...env },
      // A session of its own, so that Ctrl-C in a terminal reaches the owner, who decides when the server stops.
      detached: true,
      stdio: ['ignore', log, log, descriptor, 'pipe'],
    }),
  )
}

function unreferenced(child: ChildProcess): ChildProcess {
  child.unref()
  const leash = child.stdio[4] as Socket | null
  leash?.unref()
  leash?.on('error', () => {
    // The shell is gone; its exit is what counts.
  })
  return child
}
