import { expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import type { Client, Verdict } from '../src/client/index.ts'
import {
  defineOperation,
  operationStep,
  outsideStep,
  refuse,
  transactionStep,
  type Answer,
  type CancelAnswer,
  type InputOf,
  type ResultOf,
  type Safepoint,
  type SafepointError,
  type SqlTransaction,
} from '../src/index.ts'

// Checked by the compiler (`npm run types`): what an author writes once reaches whoever calls, and what cannot be is not compiled.

const input = z.strictObject({ seat: z.string(), guests: z.coerce.number().default(1) })
const reserve = defineOperation({
  name: 'seat.reserve',
  input,
  async run(ctx, given) {
    expectTypeOf(given).toEqualTypeOf<{ seat: string; guests: number }>()
    expectTypeOf(ctx.tx).toEqualTypeOf<SqlTransaction>()
    if (given.guests > 4) return ctx.fail('too_many', 'At most four.')
    return { seat: given.seat, version: 1 }
  },
  undo: {
    record(done) {
      expectTypeOf(done.input).toEqualTypeOf<{ seat: string; guests: number }>()
      expectTypeOf(done.result).toEqualTypeOf<{ seat: string; version: number }>()
      return { seat: done.result.seat }
    },
    run: async (ctx, recorded: { seat: string }) => {
      expectTypeOf(ctx.tx).toEqualTypeOf<SqlTransaction>()
      return recorded.seat
    },
  },
})
const pay = defineOperation({
  name: 'seat.pay',
  input: z.strictObject({ seat: z.string() }),
  keep: 'Money is given back by another operation.',
  steps: {
    hold: transactionStep<{ seat: string }, { until: string }>({
      run: async (tx, { seat }) => {
        expectTypeOf(tx).toEqualTypeOf<SqlTransaction>()
        return { until: seat }
      },
      undo: async () => {},
    }),
    charge: outsideStep<{ amount: number }, { id: string }>({
      timeout: 1000,
      call: async ({ amount }, { key, signal }) => {
        expectTypeOf(key).toEqualTypeOf<string>()
        expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
        return { id: `${key}-${amount}` }
      },
      undo: async () => {},
    }),
    reserve: operationStep(() => reserve),
  },
  async run(ctx, { seat }) {
    expectTypeOf(await ctx.steps.hold({ seat })).toEqualTypeOf<{ until: string }>()
    expectTypeOf(await ctx.steps.charge({ amount: 5 })).toEqualTypeOf<{ id: string }>()
    expectTypeOf(await ctx.steps.reserve({ seat })).toEqualTypeOf<{ seat: string; version: number }>()
    // @ts-expect-error a step that is not declared
    void (() => ctx.steps.refund({}))
    // @ts-expect-error a request of another shape
    void (() => ctx.steps.charge({ amount: '5' }))
    // @ts-expect-error what writes is a step, or the last transaction
    void ctx.tx
    return ctx.finish(async (tx) => {
      expectTypeOf(tx).toEqualTypeOf<SqlTransaction>()
      return { paid: true }
    })
  },
})

declare const safepoint: Safepoint<SqlTransaction>
declare const client: Client

it('what goes in is what the schema takes, and what comes out is what the handler returned', () => {
  expectTypeOf<InputOf<typeof reserve>>().toEqualTypeOf<{ seat: string; guests?: unknown }>()
  expectTypeOf<ResultOf<typeof reserve>>().toEqualTypeOf<{ seat: string; version: number }>()
  expectTypeOf<ResultOf<typeof pay>>().toEqualTypeOf<{ paid: boolean }>()
  const ask = () => safepoint.run(reserve, { seat: '12A' }, { scope: 'a' })
  expectTypeOf(ask).returns.resolves.toEqualTypeOf<Answer<{ seat: string; version: number }>>()
  const order = () => safepoint.run(pay, { seat: '12A' }, { scope: 'a' })
  expectTypeOf(order).returns.resolves.toEqualTypeOf<Answer<{ paid: boolean }>>()
  // @ts-expect-error no seat
  void (() => safepoint.run(reserve, {}, { scope: 'a' }))
  // @ts-expect-error no scope
  void (() => safepoint.run(reserve, { seat: '12A' }, {}))
})

it('an answer must be looked at before its result can be had', () => {
  const look = (answer: Answer<{ seat: string }>) => {
    // @ts-expect-error it may have failed
    void answer.result
    if (answer.outcome === 'succeeded') return answer.result.seat
    if (answer.outcome === 'failed') return answer.error.code
    if (answer.outcome === 'cancelled') return answer.reason
    expectTypeOf(answer.outcome).toEqualTypeOf<'pending'>()
    return answer.state
  }
  expectTypeOf(look).returns.toEqualTypeOf<string | undefined>()
  const told = (answer: CancelAnswer) =>
    answer.outcome === 'too_late' && answer.state === 'succeeded' ? answer.undo.available : answer.eventId
  expectTypeOf(told).returns.toEqualTypeOf<string | boolean>()
  const write = () => client.post<{ seat: string }>('/seats', {})
  expectTypeOf(write).returns.resolves.toEqualTypeOf<Verdict<{ seat: string }>>()
})

it('a definition says how it is undone or why it stays, and so does each step', () => {
  const common = { name: 'a.b', input, run: async () => ({}) }
  const undo = { record: () => 1, run: async () => 1 }
  const call = { timeout: 5, call: async () => ({}) }
  // Never run: they would throw too.
  void (() => {
    // @ts-expect-error neither
    defineOperation(common)
    // @ts-expect-error both
    defineOperation({ ...common, keep: 'x', undo })
    // @ts-expect-error neither
    outsideStep(call)
    // @ts-expect-error both
    outsideStep({ ...call, keep: 'x', undo: async () => {} })
  })
  expectTypeOf(refuse('sold_out', '')).toEqualTypeOf<SafepointError<'sold_out'>>()
})
