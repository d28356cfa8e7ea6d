import { fork, type ChildProcess } from 'node:child_process'
import http from 'node:http'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { testEngine } from './support/engine.ts'
import { chargeOperation, type StallingOptions, type StallingReport } from './support/stalling-process.ts'
import { until } from './support/until.ts'

/** Whoever called the provider, in order. */
const callers: string[] = []
const provider = http.createServer((request, response) => {
  callers.push(String(request.headers.from))
  response.end(JSON.stringify({ at: 'the provider' }))
})
await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(provider.address() as { port: number }).port}/`
afterAll(() => new Promise((resolve) => provider.close(resolve)))

const charge = chargeOperation(async (_request, { signal }) => {
  const answer = await fetch(url, { method: 'POST', signal, headers: { from: 'the successor', connection: 'close' } })
  return (await answer.json()) as { at: string }
})
const lease = 700
const { safepoint, sql, url: databaseUrl } = await testEngine([charge], { lease, poll: 50 })
const rowOf = async (key: string) =>
  (await sql('select state, epoch, begun, stopped_at from safepoint.operation where key = $1', [key]))[0]

/** Runs the operation in a process of its own that stands still for `stall` milliseconds between fence and call. */
function startStalling(key: string, stall: number) {
  const options: StallingOptions = { url: databaseUrl, charge: url, key, lease, stall }
  const child: ChildProcess = fork(
    path.join(import.meta.dirname, 'support/stalling-process.ts'),
    [JSON.stringify(options)],
    {
      execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  )
  const reports: StallingReport[] = []
  child.on('message', (report) => reports.push(report as StallingReport))
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return {
    stalled: () => until(() => reports.some((report) => 'stalled' in report), { timeoutMs: 10_000 }),
    async ended() {
      expect(await exited).toBe(0)
      return reports.find((report) => 'outcome' in report) as { outcome: string; calls: number }
    },
  }
}

describe('a process that stands still between the fence of a call and the call', () => {
  it('makes the call, when it stood still for no time', async () => {
    callers.length = 0
    const child = startStalling('prompt', 0)
    expect(await child.ended()).toEqual({ outcome: 'succeeded', calls: 1 })
    expect(callers).toEqual(['the stalled process'])
  })

  it('I11, I7: starts no call once its lease is over: whoever took over makes the only one', async () => {
    callers.length = 0
    const child = startStalling('late', 4 * lease)
    await child.stalled()
    await until(async () => (await rowOf('late'))?.state === 'succeeded', { timeoutMs: 10_000 })
    expect(await child.ended()).toMatchObject({ outcome: 'succeeded', calls: 0 })
    expect(callers).toEqual(['the successor'])
    expect(await rowOf('late')).toMatchObject({ state: 'succeeded', epoch: 2 })
  })

  it('I11: starts no call after a cancel was answered stopped, nor after it was told cancelled', async () => {
    callers.length = 0
    const child = startStalling('cancelled', 4 * lease)
    await child.stalled()
    // Nobody can say whether the call that is recorded as begun will start: the process is silent.
    expect(await safepoint.cancel('a', 'cancelled')).toMatchObject({
      outcome: 'undoing',
      stopped: false,
      step: 'charge',
    })
    await until(
      async () => {
        const answer = await safepoint.cancel('a', 'cancelled')
        return answer.outcome === 'cancelled' || (answer.outcome === 'undoing' && answer.stopped)
      },
      { timeoutMs: 10_000, intervalMs: 50 },
    )
    const callsWhenStopped = callers.length
    expect(await child.ended()).toMatchObject({ outcome: 'cancelled', calls: 0 })
    expect(callers.length).toBe(callsWhenStopped)
    await until(async () => (await rowOf('cancelled'))?.state === 'cancelled', { timeoutMs: 10_000 })
    expect(callers).toEqual([])
  })
})
