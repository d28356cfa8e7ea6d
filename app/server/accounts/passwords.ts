import { randomUUID } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import { refuse } from 'safepoint'

/** `Algorithm.Argon2id`, a const enum that cannot be imported here. */
const argon2id = 2

/** OWASP's parameters for argon2id; 14 to 18 ms when measured on one core. */
const cost = { algorithm: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** At once: each takes a core and 19 MiB. */
const places = 2
/** Beyond these, whoever asks is told to come back: some 0.5 s of work. */
const queueLimit = 60

let running = 0
const queue: Array<() => void> = []

/** Throws `busy`, retryable, when too many wait already. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= places) {
    if (queue.length >= queueLimit)
      throw refuse('busy', 'Too many log-ins at once.', { retryable: true, retryAfterMs: 1000 })
    await new Promise<void>((go) => queue.push(go))
  } else {
    running++
  }
  try {
    return await work()
  } finally {
    const next = queue.shift()
    if (next) next()
    else running--
  }
}

export const hashPassword = (password: string): Promise<string> => inTurn(() => hash(password.normalize('NFKC'), cost))

/** Made once, and past the queue: a place that was refused must not be remembered as the answer. */
let nobody: Promise<string> | undefined

/** Takes as long where there is no such account (`undefined`), so that the time does not tell whether there is one. */
export async function verifyPassword(stored: string | undefined, password: string): Promise<boolean> {
  nobody ??= hash(randomUUID(), cost)
  const against = stored ?? (await nobody)
  const matches = await inTurn(() => verify(against, password.normalize('NFKC')))
  return matches && stored !== undefined
}
