import type { State } from './protocol.ts'

/** The moves of SPEC.md section 5, as data. The trigger `safepoint.check_move` enforces the same; a test compares the two. */
export const moves: Readonly<Record<State, readonly State[]>> = {
  running: ['succeeded', 'failed', 'cancelled', 'undoing'],
  undoing: ['cancelled', 'failed', 'needs_attention'],
  needs_attention: ['undoing', 'cancelled', 'failed'],
  succeeded: [],
  failed: [],
  cancelled: [],
}

/** States an operation may be written in first. */
export const firstStates: readonly State[] = ['running', 'succeeded', 'failed', 'cancelled']

export function isTerminal(state: State): state is 'succeeded' | 'failed' | 'cancelled' {
  return moves[state].length === 0
}
