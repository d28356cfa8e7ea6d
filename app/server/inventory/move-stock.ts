import { uuidv7, type SqlTransaction } from 'safepoint'
import type { MovementReason } from './inventory.ts'

export interface StockMove {
  readonly variantId: string
  /** Units in, or out when negative. */
  readonly delta: number
  readonly reason: MovementReason
  readonly actor?: string
  readonly operationId?: string
  readonly note?: string
}

/** Takes goods in or out, with a movement. `false`: there is no such stock row, or what is to go out is reserved or not there. */
export async function moveStock(tx: SqlTransaction, move: StockMove): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'inventory_move',
    text: `
      with moved as (
        update pantry.stock s
        set on_hand = s.on_hand + $2::int, version = s.version + 1, updated_at = clock_timestamp()
        where s.variant_id = $1::uuid and s.on_hand + $2::int >= s.reserved
        returning s.variant_id
      )
      insert into pantry.stock_movement (id, variant_id, delta, reason, operation_id, actor, note)
      select $3::uuid, variant_id, $2::int, $4::text, $5::uuid, $6::text, $7::text from moved`,
    values: [
      move.variantId,
      move.delta,
      uuidv7(),
      move.reason,
      move.operationId ?? null,
      move.actor ?? null,
      move.note ?? null,
    ],
  })
  return rowCount === 1
}
