import { nameOf } from './keys.ts'

/** What the parts of the engine tell each other over the bus. */
export const topics = {
  /** Data: `[scope, key]`. A cancel has been committed. */
  cancel: 'sp:cancel',
  /** Data: `[scope, key]`. The holder's call is aborted or settled and it begins none. */
  stopped: 'sp:stopped',
  /** An operation's row or progress has changed. */
  changed: (scope: string, key: string) => `sp:op:${nameOf(scope, key)}`,
} as const
