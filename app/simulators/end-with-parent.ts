/**
 * Ends a simulator's process on SIGTERM or SIGINT and, where the process that started it hands it a pipe as stdin and says so, with that
 * one: a killed parent leaves no simulator behind.
 */
export function endWithParent(simulator: { close(): Promise<void> }, withParent: boolean): void {
  let closing = false
  const end = (): void => {
    if (closing) return
    closing = true
    void simulator.close().then(() => process.exit(0))
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  if (withParent) process.stdin.resume().on('end', end)
}
