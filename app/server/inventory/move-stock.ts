import { uuidv7, type SqlTransaction } from 'safepoint'
import { stockLimit, type MovementKind } from './inventory.ts'

export interface StockMove {
  readonly variantId: string
  /** Units in, or out when negative. */
  readonly delta: number
  readonly kind: MovementKind
  readonly actor?: string
  readonly operationId?: string
  /** Why, in words. */
  readonly note?: string | undefined
}

export interface Moved {
  /** `undefined`: what was to go out is reserved or not there, or too much would come in. Then nothing is moved. */
  readonly movementId: string | undefined
  /** As it is afterwards, without reservations whose time is up. */
  readonly onHand: number
  readonly reserved: number
}

/**
 * Takes goods in or out, with a movement. Reservations of the variant whose time is up are ended on the way, so that they
 * are in nobody's way. `undefined`: there is no such stock row.
 */
export async function moveStock(tx: SqlTransaction, move: StockMove): Promise<Moved | undefined> {
  const { rows } = await tx.query<Moved & { movementId: string | null }>({
    name: 'inventory_move',
    text: `
      with locked as materialized (
        select variant_id, on_hand, reserved from pantry.stock where variant_id = $1::uuid for update
      ), expired as (
        update pantry.reservation r set state = 'expired', ended_at = clock_timestamp()
        from locked l
        where r.variant_id = l.variant_id and r.state = 'held' and r.expires_at <= clock_timestamp()
        returning r.quantity
      ), weighed as (
        select variant_id, on_hand, live, on_hand + $2::int between live and $8::int as fits
        from (select l.*, l.reserved - coalesce((select sum(quantity) from expired), 0)::int as live from locked l) l
      ), moved as (
        update pantry.stock s
        -- both from the locked row: what the update first reads is as old as the statement, and the constraints look at that
        set on_hand = w.on_hand + case when w.fits then $2::int else 0 end, reserved = w.live,
          version = s.version + 1, updated_at = clock_timestamp()
        from weighed w
        where s.variant_id = w.variant_id
        returning s.on_hand, s.reserved
      ), movement as (
        insert into pantry.stock_movement (id, variant_id, delta, reason, operation_id, actor, note)
        select $3::uuid, variant_id, $2::int, $4::text, $5::uuid, $6::text, $7::text from weighed where fits
        returning id
      )
      select movement.id as "movementId", moved.on_hand as "onHand", moved.reserved
      from moved left join movement on true`,
    values: [
      move.variantId,
      move.delta,
      uuidv7(),
      move.kind,
      move.operationId ?? null,
      move.actor ?? null,
      move.note ?? null,
      stockLimit,
    ],
  })
  const [row] = rows
  return row && { ...row, movementId: row.movementId ?? undefined }
}
