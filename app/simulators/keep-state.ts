import fs from 'node:fs'
import path from 'node:path'
import { deserialize, serialize } from 'node:v8'

/** Opens one of the maps that hold what a simulator knows; each is opened once. */
export type OpenMap = <Value>(name: string) => Map<string, Value>

export interface KeptState {
  readonly open: OpenMap
  /** Something may have changed: it is written in a moment, however much changes until then. */
  changed(): void
  /** Writes what is not written yet, and nothing from then on. */
  close(): void
}

/** Of a simulator that begins anew each time. */
export const freshMap: OpenMap = () => new Map()

/** Milliseconds; what a killed process had not written is as if it had never arrived. */
const moment = 50

/**
 * Keeps what a simulator knows in a file, so that a bank of a demonstration outlives its restarts: money that was taken before one can be
 * given back after it. Without a file it is kept by nobody. Throws where the file is there and cannot be read.
 */
export function keepState(file: string | undefined): KeptState {
  if (file === undefined) return { open: freshMap, changed() {}, close() {} }
  const maps = readMaps(file)
  let timer: ReturnType<typeof setTimeout> | undefined
  let closed = false
  const save = () => {
    clearTimeout(timer)
    timer = undefined
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    fs.writeFileSync(`${file}.new`, serialize(maps), { mode: 0o600 })
    fs.renameSync(`${file}.new`, file)
  }
  return {
    open<Value>(name: string) {
      const map = maps.get(name) ?? new Map<string, unknown>()
      maps.set(name, map)
      return map as Map<string, Value>
    },
    changed() {
      if (closed) return
      timer ??= setTimeout(() => {
        try {
          save()
        } catch (error) {
          // A full disk must not end the shop; the next change is another try.
          process.stderr.write(`simulator: ${file} cannot be written: ${(error as Error).message}\n`)
        }
      }, moment)
    },
    close() {
      closed = true
      save()
    },
  }
}

/** All of them at once, so that what two of them share is still shared. */
function readMaps(file: string): Map<string, Map<string, unknown>> {
  if (!fs.existsSync(file)) return new Map()
  try {
    return deserialize(fs.readFileSync(file)) as Map<string, Map<string, unknown>>
  } catch (cause) {
    throw new Error(`${file} cannot be read: remove it, and the simulator begins anew`, { cause })
  }
}
