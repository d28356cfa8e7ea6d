import type { PlacedOrder } from './checkout-state.ts'

/** Which order of an account is set aside and unpaid, remembered on this device. */
export interface HeldOrder {
  read(): PlacedOrder | undefined
  keep(order: PlacedOrder): void
  forget(): void
}

export interface HeldOrderOptions {
  readonly store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  readonly account: () => string | undefined
}

export function createHeldOrder({ store, account }: HeldOrderOptions): HeldOrder {
  const name = () => `pantry:order-set-aside:${account() ?? ''}`
  return {
    read: () => (JSON.parse(store.getItem(name()) ?? 'null') as PlacedOrder | null) ?? undefined,
    keep: ({ id, total }) =>
      store.setItem(name(), JSON.stringify({ id, ...(total && { total }) } satisfies PlacedOrder)),
    forget: () => store.removeItem(name()),
  }
}
