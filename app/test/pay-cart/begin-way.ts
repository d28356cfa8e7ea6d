import { until } from '../../../safepoint/test/support/until.ts'
import type { Delivery, Edge } from './edge.ts'
import type { Way } from './crash-points.ts'
import { holdCall } from './gateway-calls.ts'
import type { Purchase } from './purchase.ts'
import type { GatewayName } from '../shop/start-shop.ts'
import type { SimulatorControl } from '../shop/simulator-control.ts'

export interface Surroundings {
  readonly gateway: GatewayName
  readonly control: SimulatorControl
  readonly edge: Edge
  /** Resolves when nothing is under way at the shop any more, or when there is no shop. */
  quiet(): Promise<void>
}

/** A purchase that has come to where its way begins. */
export interface Begun {
  /** Goes the way, to its end. `mark` says where it begins, and what it says is answered. */
  act(mark: () => number): Promise<number>
  /** Events of the gateway that are still to be delivered, because nobody has acknowledged them. */
  readonly undelivered: Set<Delivery>
}

/** Resolves when the gateway has sent what there is to tell of a payment. */
export async function untilTold({ control, edge }: Pick<Surroundings, 'control' | 'edge'>): Promise<void> {
  await until(
    async () => {
      const { deliveries } = await control<{ deliveries: Array<{ endedAt: unknown }> }>('GET', '/webhooks')
      return edge.waiting > 0 && deliveries.every(({ endedAt }) => endedAt !== null)
    },
    { message: 'the events of a payment' },
  )
}

export async function beginWay(way: Way, purchase: Purchase, around: Surroundings): Promise<Begun> {
  const { gateway, control, edge, quiet } = around
  const undelivered = new Set<Delivery>()
  const deliver = async (delivery: Delivery) => {
    const status = await edge.deliver(delivery)
    if (status >= 200 && status < 300) undelivered.delete(delivery)
  }
  const make = async () => {
    const { status, text } = await purchase.ask('create')
    if (status !== 201) throw new Error(`An undisturbed create-from-cart was answered ${status}: ${text}`)
    edge.take()
  }
  const pay = async () => {
    if (!(await purchase.pay(purchase.page()!))) throw new Error('The page took no payment.')
    await untilTold(around)
    for (const delivery of edge.take()) undelivered.add(delivery)
  }
  const begun = (act: () => Promise<unknown>): Begun => ({
    undelivered,
    async act(mark) {
      const from = mark()
      await act()
      await quiet()
      return from
    },
  })

  switch (way) {
    case 'create':
      return begun(() => purchase.ask('create'))
    case 'webhook': {
      await make()
      await pay()
      return begun(() => deliver([...undelivered][0]!))
    }
    case 'return': {
      await make()
      await pay()
      // They are lost.
      undelivered.clear()
      return begun(() => purchase.goBack())
    }
    case 'undo':
      await make()
      return begun(() => purchase.ask('undo'))
    case 'refund': {
      await make()
      await pay()
      for (const delivery of undelivered) await deliver(delivery)
      await quiet()
      return begun(() => purchase.ask('undo'))
    }
    case 'cancel': {
      const held = await holdCall(gateway, control, 'page', 'executed')
      return {
        undelivered,
        async act(mark) {
          const creating = purchase.ask('create')
          await held.arrived()
          const from = mark()
          await purchase.ask('cancel')
          await held.release()
          await creating
          await quiet()
          return from
        },
      }
    }
    case 'late': {
      await make()
      if (gateway === 'stripe') {
        const held = await holdCall(gateway, control, 'close', 'arrived')
        return {
          undelivered,
          async act(mark) {
            const undoing = purchase.ask('undo')
            await held.arrived()
            await pay()
            const from = mark()
            await held.release()
            await undoing
            await quiet()
            return from
          },
        }
      }
      await purchase.ask('undo')
      await quiet()
      await pay()
      return begun(() => deliver([...undelivered][0]!))
    }
  }
}
