import { isId } from '../http.ts'
import { listMovements } from '../inventory/inventory.queries.ts'
import { listStockLevels } from '../inventory/stock-levels.ts'
import { findVariants } from './cli.queries.ts'
import { readCount, type Command } from './command.ts'
import { Refused } from './refused.ts'

const movements: Command = {
  name: ['stock', 'movements'],
  summary: 'What went in and out of one variant, the latest first',
  takes: ['VARIANT'],
  options: { limit: { value: 'N', says: 'so many of them; default 20' } },
  async run({ database }, { words, options }) {
    const limit = readCount(options.limit, 'limit', 20)
    const asked = words.VARIANT!
    const [variant] = await findVariants(database, { id: isId(asked) ? asked : undefined, sku: asked })
    if (!variant) throw new Refused(`No variant has the id or the SKU ${asked}.`)
    const stock = (await listStockLevels(database, [variant.id])).get(variant.id) ?? null
    const { items } = await listMovements(database, { variantId: variant.id, limit, after: undefined })
    return {
      json: { variant, stock, movements: items },
      lines: [
        `${variant.product}, ${variant.variant}${variant.archived ? ' (archived)' : ''}: SKU ${variant.sku}, variant ${variant.id}`,
        stock
          ? `${stock.onHand} on hand, ${stock.reserved} reserved, ${stock.available} can be ordered`
          : 'It has no shelf.',
      ],
      table: {
        head: ['at', 'delta', 'kind', 'order', 'actor', 'reason'],
        rows: items.map((movement) => [
          new Date(movement.at),
          movement.delta,
          movement.kind,
          movement.orderId,
          movement.actor,
          movement.reason === movement.kind ? undefined : movement.reason,
        ]),
      },
      empty: 'Nothing went in or out.',
    }
  },
}

export const stockCommands: readonly Command[] = [movements]
