/** How a person reads an order's id: its last eight characters, which differ where the first ones are a clock's. */
export function orderNumber(id: string): string {
  return id.slice(-8).toUpperCase()
}
