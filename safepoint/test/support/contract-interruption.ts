import { describe, expect, it } from 'vitest'
import type { ContractBench } from './database-contract.ts'

/** A signal stops what runs, and nothing else. */
export function describeInterruption<Tx>(name: string, bench: ContractBench<Tx>): void {
  const { open, pidOf, put, running, send, stored, unique } = bench
  describe(`the contract of ${name}: interruption`, () => {
    const database = open()

    it('stops the running statement, rolls back, and the same connection goes on', async () => {
      const first = await database.transaction({}, pidOf)
      const [id, reason, text] = [unique(), new Error('enough'), `select pg_sleep(20), '${unique()}'`]
      const controller = new AbortController()
      const ending = database.transaction({ signal: controller.signal }, async (tx) => {
        await put(tx, id)
        await send(tx, text)
      })
      await running(text)
      const started = performance.now()
      controller.abort(reason)
      expect(await ending).toEqual({ end: 'rolled back', error: reason, interrupted: true })
      expect(performance.now() - started).toBeLessThan(2000)
      expect(await stored(id)).toBe(false)
      expect(await database.transaction({}, pidOf)).toMatchObject({ end: 'committed', value: (first as any).value })
    })

    it('is noticed up to the moment in which `last` is asked, however short before', async () => {
      for (let turns = 0; turns < 8; turns++) {
        const [id, controller] = [unique(), new AbortController()]
        let askedTooLate = false
        const abortIn = (left: number): void =>
          left === 0 ? controller.abort(new Error('enough')) : queueMicrotask(() => abortIn(left - 1))
        const { end } = await database.transaction(
          {
            signal: controller.signal,
            last() {
              askedTooLate ||= controller.signal.aborted
              return []
            },
          },
          async (tx) => {
            await put(tx, id)
            abortIn(turns)
          },
        )
        expect(askedTooLate, `${turns} turns`).toBe(false)
        expect(await stored(id), `${turns} turns: ${end}`).toBe(end === 'committed')
      }
    })

    it('leaves nothing half done and never hits the next statement on that connection, wherever it falls', async () => {
      // A connection that has prepared nothing yet sends in other packets than one that has.
      for (const one of [database, ...Array.from({ length: 8 }, () => open())]) {
        await one.query({ text: 'select 1' })
        for (let round = 0; round < (one === database ? 40 : 4); round++) {
          const [id, controller] = [unique(), new AbortController()]
          const ending = one.transaction({ signal: controller.signal }, async (tx) => {
            await put(tx, id)
            await send(tx, 'select pg_sleep(0.002)')
          })
          for (let turn = 0; turn < round; turn++) await new Promise(setImmediate)
          controller.abort(new Error('enough'))
          const { end } = await ending
          expect(await stored(id), `round ${round}: ${end}`).toBe(end === 'committed')
          const next = await one.transaction({}, (tx) => send(tx, 'select pg_sleep(0.01)'))
          expect(next, `round ${round}`).toMatchObject({ end: 'committed' })
        }
      }
    })

    it('does not wait for work that ignores it, and closes its transaction', async () => {
      const [id, controller] = [unique(), new AbortController()]
      let goOn = () => {}
      let told: (late: unknown) => void = () => {}
      const late = new Promise<unknown>((resolve) => (told = resolve))
      const end = await database.transaction({ signal: controller.signal }, async (tx) => {
        await put(tx, id)
        controller.abort(new Error('enough'))
        await new Promise<void>((resolve) => (goOn = resolve))
        await put(tx, `${id}-late`).then(told, told)
      })
      expect(end).toMatchObject({ end: 'rolled back', interrupted: true })
      goOn()
      expect(await late).toBeInstanceOf(Error)
      expect([await stored(id), await stored(`${id}-late`)]).toEqual([false, false])
    })

    it('before the first statement runs nothing', async () => {
      const id = unique()
      let begun = false
      const end = await database.transaction({ signal: AbortSignal.abort(new Error('enough')) }, (tx) => {
        begun = true
        return put(tx, id)
      })
      expect(end).toMatchObject({ end: 'rolled back', interrupted: true, error: { message: 'enough' } })
      expect(begun).toBe(false)
      expect(await stored(id)).toBe(false)
    })

    it('stops the first statement too, which travels with BEGIN', async () => {
      for (const round of [1, 2]) {
        const [text, controller] = [`select pg_sleep(20), '${unique()}'`, new AbortController()]
        const ending = database.transaction({ signal: controller.signal }, (tx) => send(tx, text))
        await running(text)
        const started = performance.now()
        controller.abort(new Error('enough'))
        expect(await ending, `${round}`).toMatchObject({ end: 'rolled back', interrupted: true })
        expect(performance.now() - started).toBeLessThan(5000)
      }
    })

    it('is without effect once the last statements were sent', async () => {
      const [id, controller] = [unique(), new AbortController()]
      const text = `select pg_sleep(0.1), '${id}'`
      const ending = database.transaction({ signal: controller.signal, last: () => [{ text }] }, (tx) => put(tx, id))
      await running(text)
      controller.abort(new Error('too late'))
      expect(await ending).toMatchObject({ end: 'committed' })
      expect(await stored(id)).toBe(true)
    })
  })
}
