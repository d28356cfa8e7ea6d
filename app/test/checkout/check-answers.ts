import { isDeepStrictEqual } from 'node:util'
import type { CancelAnswer, OperationView, Problem } from 'safepoint/protocol'
import { forwardCharges, type Call, type NetAmount } from './stripe-control.ts'

/**
 * One call about a key, and what it was told. Times are milliseconds of the host's monotonic clock. Status 0: the connection
 * broke, and nothing was told.
 */
export interface Told {
  readonly call: 'confirm' | 'cancel' | 'find' | 'order'
  readonly who: string
  /** The process that was asked. */
  readonly server: number
  readonly sentAt: number
  readonly toldAt: number
  readonly status: number
  readonly body: unknown
  readonly text: string
}

/** What is so, read from the rows and from the gateway once nothing runs any more. */
export interface Facts {
  readonly row:
    | { readonly state: string; readonly id: string; readonly name: string | null; readonly body: string | null }
    | undefined
  /** Rows of `safepoint.cancel_event` for the key. */
  readonly events: number
  readonly order: { readonly status: string; readonly total: number; readonly closing: boolean }
  /** Statuses of the order's payments. */
  readonly payments: readonly string[]
  /** States of the order's reservations. */
  readonly reservations: readonly string[]
  readonly receipts: number
  /** What the gateway's book says of the order. */
  readonly net: NetAmount | undefined
  /** What arrived at the gateway about the order, in order. */
  readonly calls: readonly Call[]
  /**
   * When its charges began, where the servers tell. What has begun may arrive late: of a call that was aborted, the bytes may
   * still be on their way (I11 speaks of when a call starts).
   */
  readonly chargesBegan?: readonly number[]
}

const unpaid = new Set(['pending', 'awaiting_payment', 'failed'])
const noMoney = new Set(['voided', 'refunded', 'failed'])
const nothingTold = new Set(['unavailable', 'indeterminate', 'timeout', 'interrupted'])

/** What is wrong with how a checkout ended, in words: rows, stock and the gateway's book must tell one story. */
export function findUnsound({ row, order, payments, reservations, receipts, net }: Facts): string[] {
  const wrong: string[] = []
  const claim = (holds: boolean, what: string) => {
    if (!holds) wrong.push(what)
  }
  const charges = net?.charges ?? 0
  const left = net?.net ?? 0
  claim(charges <= 1, `I1: ${charges} charges`)
  claim(!order.closing, 'the order is still being closed')
  if (row?.state === 'succeeded') {
    claim(charges === 1 && left === order.total, `I3: succeeded, with ${charges} charges and ${left} taken`)
    claim(order.status === 'completed', `I3: succeeded, and the order is ${order.status}`)
    claim(payments.filter((status) => status === 'captured').length === 1, `payments ${payments.join(', ')}`)
    claim(isDeepStrictEqual(reservations, ['booked']), `reservations ${reservations.join(', ')}`)
    claim(receipts === 1, `${receipts} receipts`)
  } else {
    const state = row?.state ?? 'none'
    claim(row === undefined || state === 'cancelled' || state === 'failed', `it has not ended: ${state}`)
    claim(left === 0, `I2: ${state}, and ${left} stay taken`)
    claim(unpaid.has(order.status), `${state}, and the order is ${order.status}`)
    claim(
      payments.every((status) => noMoney.has(status)),
      `${state}, and payments are ${payments.join(', ')}`,
    )
    claim(isDeepStrictEqual(reservations, ['held']), `${state}, and reservations are ${reservations.join(', ')}`)
    claim(receipts === 0, `${state}, and ${receipts} receipts`)
  }
  return wrong
}

/** Judges every answer that anybody was given about one confirmation. An empty list: everybody was told the truth. */
export function findUntrue(told: readonly Told[], facts: Facts): string[] {
  const untrue = findUnsound(facts)
  const { row, calls } = facts
  const state = row?.state
  const result = row?.body ? JSON.parse(row.body) : undefined
  const posts = calls.filter(({ method }) => method === 'POST')
  const forward = forwardCharges(calls)
  const others = posts.filter((call) => !forward.includes(call))
  const forwardAt = facts.chargesBegan ?? forward.map(({ arrivedAt }) => arrivedAt.monotonic)
  if (forwardAt.length < forward.length)
    untrue.push(`I11: ${forward.length} charges arrived, ${forwardAt.length} were begun`)

  const answered = told.filter(({ call, status }) => call === 'cancel' && status > 0 && status < 300).length
  if (facts.events < answered || facts.events > told.filter(({ call }) => call === 'cancel').length)
    untrue.push(`I9: ${facts.events} events for ${answered} answered cancels`)
  for (const one of told) {
    if (one.status === 0) continue
    const claim = (holds: boolean, what: string) => {
      if (!holds) untrue.push(`${one.who}: ${what}; it is ${state}`)
    }
    const noneForwardLater = () => forwardAt.every((at) => at <= one.toldAt)
    const noneLater = () => noneForwardLater() && others.every(({ arrivedAt }) => arrivedAt.monotonic <= one.toldAt)
    /** Said to have ended in `how`: it stays so, and nothing of it moves any more. */
    const ended = (how: string, what: string) => {
      claim(state === how, `told ${what}`)
      claim(noneLater(), `I2: told ${what}, and a call to the gateway arrived later`)
    }
    if (one.call === 'confirm') checkConfirm(one, claim, ended)
    else if (one.call === 'cancel') checkCancel(one, claim, ended, noneForwardLater)
    else if (one.call === 'find') checkFind(one, claim, ended)
    else checkOrder(one, claim)
  }
  return untrue

  type Claim = (holds: boolean, what: string) => void
  type Ended = (how: string, what: string) => void

  function checkConfirm({ status, body, text }: Told, claim: Claim, ended: Ended): void {
    if (status === 200) {
      ended('succeeded', 'confirmed')
      return claim(text === row?.body, 'I4: the response is not the stored one')
    }
    if (status === 202) return claim(row !== undefined, 'told 202 without a row')
    const { code } = body as Problem
    if (code === 'cancelled') return ended('cancelled', '409 cancelled')
    if (code === 'in_progress' || nothingTold.has(code)) return
    ended('failed', `${status} ${code}`)
    claim(code === result?.code, `I4: told ${code}, and stored is ${result?.code}`)
  }

  function checkCancel({ status, body }: Told, claim: Claim, ended: Ended, noneForwardLater: () => boolean): void {
    if (status >= 300) return claim(nothingTold.has((body as Problem).code), `a cancel was answered ${status}`)
    const said = body as CancelAnswer
    switch (said.outcome) {
      case 'cancelled':
        claim(said.stopped !== true || noneForwardLater(), 'I11: told cancelled and stopped, and a charge began later')
        return ended('cancelled', 'cancelled')
      case 'undoing':
        claim(state === said.target, `told undoing to ${said.target}`)
        return claim(!said.stopped || noneForwardLater(), 'I11: told stopped, and a charge arrived later')
      case 'too_late':
        if (said.state === 'failed') return ended('failed', 'too_late, failed')
        ended('succeeded', 'too_late')
        return claim(isDeepStrictEqual(said.result, result), 'I3: too_late carries another result')
      case 'needs_attention':
        return claim(false, 'told needs_attention')
    }
  }

  function checkFind({ body, sentAt }: Told, claim: Claim, ended: Ended): void {
    const said = body as OperationView
    if (said.state === 'succeeded' || said.state === 'failed' || said.state === 'cancelled') {
      ended(said.state, `${said.state} by a look`)
      claim(said.id === row?.id, 'saw another run')
      if (said.state === 'succeeded') claim(isDeepStrictEqual(said.result, result), 'saw another result')
      return
    }
    const before = told.find((other) => other.toldAt < sentAt && isFinal(other))
    claim(before === undefined, `saw ${said.state} after ${before?.who} had been told how it ended`)
  }

  function checkOrder({ body }: Told, claim: Claim): void {
    const { status } = body as { status: string }
    claim(status === facts.order.status, `saw the order ${status}, and it is ${facts.order.status}`)
  }
}

function isFinal({ call, status, body }: Told): boolean {
  if (call === 'confirm') return status === 200
  if (call === 'cancel') return status === 200
  return call === 'find' && ['succeeded', 'failed', 'cancelled'].includes((body as OperationView).state)
}
