/** What the client did, for a log or a debug panel. Never carries a body, a header or a result. */
export type ClientEvent =
  | {
      readonly type: 'send'
      readonly key: string
      readonly method: string
      readonly path: string
      readonly attempt: number
    }
  | { readonly type: 'answer'; readonly key: string; readonly status: number; readonly code?: string }
  | {
      readonly type: 'retry'
      readonly key: string
      readonly attempt: number
      readonly waitMs: number
      readonly cause: unknown
    }
  | { readonly type: 'follow'; readonly key: string }
  | { readonly type: 'cancel'; readonly key: string; readonly attempt: number }
  | { readonly type: 'cancel_answered'; readonly key: string; readonly outcome: string }
  | { readonly type: 'verdict'; readonly key: string; readonly outcome: string }
  /** The request is kept in memory only (`set`), or will be asked about once more after a reload (`delete`). */
  | {
      readonly type: 'storage_failed'
      readonly key: string
      readonly action: 'set' | 'delete'
      readonly cause: unknown
    }

export type Report = (event: ClientEvent) => void

/** A listener that throws must not change what happens to a write. */
export function reporter(debug: boolean | Report | undefined): Report {
  if (!debug) return () => {}
  const listener: Report = debug === true ? (event) => console.debug('[safepoint]', event) : debug
  return (event) => {
    try {
      listener(event)
    } catch (error) {
      console.error('[safepoint] the debug listener threw', error)
    }
  }
}
