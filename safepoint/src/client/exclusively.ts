/** Runs `work` while nobody else does who goes by the same `name`, and answers with what it came to. */
export type Exclusively = <T>(name: string, work: () => Promise<T>) => Promise<T>

/** The part of the Web Locks API that is used (https://w3c.github.io/web-locks/), so that nothing here needs the DOM to compile. */
interface Locks {
  request<T>(name: string, work: () => Promise<T>): Promise<T>
}

/** Among the tabs of one origin, where there are Web Locks and they may be used; elsewhere `work` runs at once. */
export const exclusivelyInTabs: Exclusively = async (name, work) => {
  const { document, navigator } = globalThis as { document?: unknown; navigator?: { locks?: Locks } }
  if (document === undefined || !navigator?.locks) return work()
  let begun = false
  try {
    return await navigator.locks.request(name, () => {
      begun = true
      return work()
    })
  } catch (error) {
    // Refused to a page of no origin, or one whose storage is blocked; its key makes what is sent twice harmless.
    if (begun) throw error
    return work()
  }
}
