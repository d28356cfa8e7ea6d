import {
  conflict,
  defineOperation,
  isSafepointError,
  outsideStep,
  refuse,
  type CallContext,
  type OperationView,
  type Safepoint,
  type SqlTransaction,
} from 'safepoint'
import { announce } from '../announce.ts'
import { isId } from '../http.ts'
import type { Enqueue } from '../jobs.ts'
import { findPayment } from '../payments/find-payment.ts'
import type { Run } from '../payments/payments.ts'
import { resolveRefundInput, viewPayment, type PaymentView } from '../payments/payments.schema.ts'
import { rememberEvent } from './admin-orders.queries.ts'
import { endStuckRefund, runInCharge } from './end-stuck-refund.ts'
import { findOrder, lockOrder } from './orders.queries.ts'
import { orderTopic } from './orders.ts'

/** The engine, as far as a human decides for a run of it. */
export type Runs = Pick<Safepoint<SqlTransaction>, 'find' | 'resolve'>

export interface ResolveRefundOptions {
  readonly enqueue: Enqueue
  readonly runs: Runs
}

interface Decide {
  readonly run: Run
  readonly returned: boolean
}

/** The run as it was, and what has become of it. */
interface Decided {
  readonly name: string | undefined
  /** It takes itself back once more, which gives the money back. */
  readonly again: boolean
}

type KnownRun = Exclude<OperationView, { readonly state: 'none' }>

/** Their undo knows what they have charged, under a name that may be in no payment's row yet. */
const charging: readonly (string | undefined)[] = ['order.confirm', 'payment.create-from-cart']

const nothingToResolve = () =>
  refuse('refund_not_in_doubt', 'Nobody waits for a word about this payment.', { effect: 'none' })

const underWay = ({ state }: OperationView) =>
  conflict('The run that gives this money back is still at work.', {
    retryAfterMs: 1000,
    effect: 'none',
    details: { state },
  })

/**
 * A human says whether money went back, where nobody else can tell: of a refund whose answer was lost at a gateway that does not
 * take the same refund twice for one, and of one that has failed and was made up for by other means. What the run that gave it
 * back had wanted is brought to its end, or everything is as before it, so that a refund can be asked for again.
 */
export function resolveRefund({ enqueue, runs }: ResolveRefundOptions) {
  return defineOperation({
    name: 'payment.resolve-refund',
    input: resolveRefundInput,
    errors: {
      payment_not_found: 'There is no such payment.',
      refund_not_in_doubt: 'Nothing about this payment waits for a human.',
    },
    onDisconnect: 'finish',
    onCancel: 'What a human has said of money is not taken back by a click.',
    uncancellable: 'What a human has said of money is not taken back by a click.',
    keep: 'What a human has said of money is not taken back by a click; refund, or ask the gateway, again.',
    steps: {
      /** Ends the run that is in charge, in its place; from then on nothing of it moves money. */
      decide: outsideStep<Decide, Decided>({
        timeout: 5000,
        call: async ({ run, returned }, context) => {
          const view = await runs.find(run.scope, run.key)
          // Forgotten: it ended long ago.
          if (view.state === 'none') return { name: undefined, again: false }
          if (decidedBy(view, context)) return decidedOf(view, returned)
          if (view.state === 'running' || view.state === 'undoing') throw underWay(view)
          const { name, again } = decidedOf(view, returned)
          if (view.state !== 'needs_attention') {
            // Nobody is left who knows what was charged: that is given back at the gateway.
            if (again) throw nothingToResolve()
            return { name, again }
          }
          // Its own target: a run that was refused has `failed`.
          const decision = again ? 'retry' : view.error === undefined ? 'cancelled' : 'failed'
          try {
            await runs.resolve(run.scope, run.key, decision, { actor: 'staff', reason: signatureOf(context) })
          } catch (error) {
            // Somebody else has decided in the same moment: look again.
            if (isSafepointError(error) && error.code === 'conflict') throw underWay(view)
            throw error
          }
          return { name, again }
        },
        tries: 2,
        settle: {
          find: async ({ run, returned }, context) => {
            const view = await runs.find(run.scope, run.key)
            return view.state !== 'none' && decidedBy(view, context) ? decidedOf(view, returned) : undefined
          },
        },
        keep: 'What a human has said of money stands.',
      }),
    },
    async run(ctx, { id: paymentId, returned, note }) {
      if (!isId(paymentId)) throw noSuchPayment()
      const { run, owed } = await ctx.read(async (tx) => {
        const payment = await findPayment(tx, paymentId)
        const found = payment && (await findOrder(tx, payment.orderId))
        if (!payment || !found) throw noSuchPayment()
        return { run: runInCharge(found.order, payment), owed: payment.owed }
      })
      if (run === undefined && owed === 0 && ctx.attempt === 1) throw nothingToResolve()
      // As long as nothing is decided a refusal leaves the key free.
      if (run !== undefined && ctx.attempt === 1) {
        const view = await runs.find(run.scope, run.key)
        if (view.state === 'running' || view.state === 'undoing') throw underWay(view)
      }
      const decided = run && (await ctx.steps.decide({ run, returned }))
      return ctx.finish(async (tx): Promise<PaymentView> => {
        const before = await findPayment(tx, paymentId)
        const found = before && (await lockOrder(tx, before.orderId))
        const payment = found && (await findPayment(tx, paymentId))
        if (!found || !payment) throw noSuchPayment()
        const { order } = found
        const by = { note, actor: ctx.actor }
        const reason = returned ? 'refund_confirmed' : 'refund_not_made'
        if (!decided?.again) {
          if (runInCharge(order, payment)?.id !== run?.id || (run === undefined && payment.owed === 0))
            throw nothingToResolve()
          await rememberEvent(tx, order.id, { reason, ...by })
          await endStuckRefund(tx, enqueue, {
            ...found,
            payment,
            run,
            name: decided?.name,
            returned,
            operationId: ctx.operationId,
            actor: ctx.actor,
          })
        } else await rememberEvent(tx, order.id, { reason, ...by })
        announce(tx, orderTopic(order.id))
        return viewPayment((await findPayment(tx, paymentId))!)
      })
    },
  })
}

const noSuchPayment = () => refuse('payment_not_found', 'There is no such payment.')

/** Tells a decision of ours from anybody else's. */
const signatureOf = ({ key }: CallContext): string => `payment.resolve-refund ${key}`
const decidedBy = ({ reason }: KnownRun, context: CallContext) => reason?.endsWith(signatureOf(context)) === true

const decidedOf = ({ name }: KnownRun, returned: boolean): Decided => ({
  name,
  again: !returned && charging.includes(name),
})

export type ResolveRefund = ReturnType<typeof resolveRefund>
