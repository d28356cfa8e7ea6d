/**
 * Tells other processes that something has happened. An accelerator only (I12): a lost signal delays, it never changes an
 * outcome; whoever waits for one polls behind it.
 */
export interface SignalBus {
  /** Delivered to the subscribers of this process at once, to other processes best effort. Never throws. */
  publish(topic: string, data?: string, options?: { readonly onlyHere?: boolean }): void
  /**
   * Of a bus that is the database's own: what to NOTIFY, so that the statement behind a decision tells it in the same flight.
   * Who has sent it so publishes `onlyHere`.
   */
  notification?(topic: string, data: string): { readonly channel: string; readonly payload: string }
  /** `origin` tells whether the signal came from this process. Returns the unsubscribe. */
  subscribe(topic: string, listener: (data: string, origin: 'here' | 'elsewhere') => void): () => void
  /** Called when signals may have been missed, so that a watcher reads afresh. Returns the unsubscribe. */
  onGap(listener: () => void): () => void
  start(): Promise<void>
  close(): Promise<void>
}
