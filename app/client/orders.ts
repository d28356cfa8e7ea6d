import type { Client, Verdict } from 'safepoint/client'
import type { GatewayOffer, Order, OrderWithHistory, Page } from './model.ts'

/** The orders of whoever is signed in. Reads throw ProblemError or what the network threw. */
export interface Orders {
  list(cursor?: string): Promise<Page<Order>>
  get(id: string): Promise<OrderWithHistory>
  /** Releases the goods and gives back what was paid. Resolves to what became of it; `unknown` can be asked again. */
  cancel(id: string): Promise<Verdict<Order>>
  /**
   * Has the server ask the gateway how the order's payment stands, and resolves to the order as it is then. Never needed:
   * the shop asks by itself, a little later.
   */
  verify(order: Order): Promise<OrderWithHistory>
  listGateways(): Promise<readonly GatewayOffer[]>
}

export function createOrders(client: Pick<Client, 'get' | 'post'>): Orders {
  const path = (id: string) => `/api/orders/${encodeURIComponent(id)}`
  const get = (id: string) => client.get<OrderWithHistory>(path(id))
  return {
    list(cursor) {
      const query = new URLSearchParams({ limit: '20', ...(cursor !== undefined && { cursor }) })
      return client.get(`/api/orders?${query}`)
    },
    get,
    cancel: (id) => client.post<Order>(`${path(id)}/cancel`, {}),
    async verify({ id, payment }) {
      // Whatever it answers: the order is the truth, and a webhook may have been there first.
      if (payment) await client.post(`/api/payments/${encodeURIComponent(payment.id)}/verify`, {})
      return get(id)
    },
    listGateways: async () => (await client.get<{ items: readonly GatewayOffer[] }>('/api/payments/gateways')).items,
  }
}
