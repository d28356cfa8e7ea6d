import { execFileSync } from 'node:child_process'
import fs from 'node:fs'

/**
 * What tells a process from a later one with the same pid: its start time (and, on Linux, the boot it belongs to).
 * `undefined` means that no such process is running; a zombie counts as gone.
 */
export function findProcessIdentity(pid: number): string | undefined {
  if (!isAlive(pid)) return undefined
  if (process.platform === 'linux') {
    const stat = readIfThere(`/proc/${pid}/stat`)
    if (stat !== undefined) {
      // proc(5): the second field is the command in parentheses and may itself contain spaces and parentheses.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (fields[0] === 'Z' || fields[0] === 'X') return undefined
      return `${readIfThere('/proc/sys/kernel/random/boot_id')?.trim().slice(0, 8) ?? ''}:${fields[19]}`
    }
  }
  try {
    const [state, ...started] = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .trim()
      .split(/\s+/)
    return state?.startsWith('Z') ? undefined : started.join(' ')
  } catch {
    return isAlive(pid) ? 'unknown' : undefined
  }
}

/** The command line of a running process, `undefined` where it cannot be read. */
export function findProcessCommand(pid: number): string | undefined {
  const line = readIfThere(`/proc/${pid}/cmdline`)
  if (line !== undefined) return line.replaceAll('\0', ' ').trim()
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
