import type { Link, TcpProxyOptions } from './tcp-proxy.ts'

/** Where the connection breaks that carries a COMMIT. */
export type CommitLoss = 'before it arrives' | 'as it arrives' | 'before its answer'

/**
 * For a proxy: breaks connections at the COMMIT of a transaction that mentions one of the planned texts. Each plan is used
 * once.
 */
export function commitLosses() {
  const plans = new Map<string, CommitLoss[]>()
  const onLoss = new Map<string, () => void>()
  const mentioned = new WeakMap<Link, string>()
  const answerless = new WeakSet<Link>()
  const intercept: TcpProxyOptions['intercept'] = (from, bytes, link) => {
    if (from === 'server') return answerless.has(link) ? 'cut' : 'forward'
    for (const text of plans.keys()) if (bytes.includes(text)) mentioned.set(link, text)
    const text = mentioned.get(link)
    if (text === undefined || !/commit\0/i.test(bytes.toString('latin1'))) return 'forward'
    mentioned.delete(link)
    const loss = plans.get(text)?.shift()
    if (!loss) return 'forward'
    onLoss.get(text)?.()
    if (loss === 'before it arrives') return 'cut'
    if (loss === 'as it arrives') return 'forward, then cut'
    answerless.add(link)
    return 'forward'
  }
  return {
    intercept,
    /** Resolves at the first loss. */
    plan(text: string, ...losses: CommitLoss[]): Promise<void> {
      plans.set(text, losses)
      return new Promise((resolve) => onLoss.set(text, resolve))
    },
  }
}
