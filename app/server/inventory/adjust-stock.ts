import { defineOperation, refuse, type AtomicContext, type SqlTransaction } from 'safepoint'
import { assertAdministrator } from '../accounts/assert-administrator.ts'
import { isId } from '../http.ts'
import { stockAdjustment } from './inventory.schema.ts'
import { decideMovement, levelOf, type Adjusted } from './inventory.ts'
import { moveStock } from './move-stock.ts'

interface Adjustment {
  readonly variantId: string
  readonly delta: number
  readonly reason: string
}

/** An administrator's hand on the shelf: a delivery, a loss, a count that was wrong. Each leaves a movement. */
export const adjustStock = defineOperation({
  name: 'stock.adjust',
  input: stockAdjustment,
  errors: {
    variant_not_found: 'There is no such variant.',
    stock_reserved: 'Less would be left than is reserved; `onHand`, `reserved` and `available` say what is there.',
    stock_limit: 'More than a shelf can have.',
  },
  onDisconnect: 'finish',
  onCancel: 'The stock stays as it is. Once it is moved, undoing moves it back, unless that is reserved or sold since.',
  undo: {
    record: ({ input, result }: { readonly input: Adjustment; readonly result: Adjusted }) => ({
      variantId: result.variantId,
      delta: -input.delta,
      reason: `undo of ${result.movementId}`,
    }),
    async run(ctx: AtomicContext<SqlTransaction>, recorded: Adjustment): Promise<Adjusted> {
      await assertAdministrator(ctx.tx, ctx.scope)
      return move(ctx, recorded)
    },
  },
  run: (ctx, input): Promise<Adjusted> => move(ctx, input),
})

async function move(
  { tx, actor, operationId }: AtomicContext<SqlTransaction>,
  { variantId, delta, reason }: Adjustment,
): Promise<Adjusted> {
  const moved = isId(variantId)
    ? await moveStock(tx, {
        variantId,
        delta,
        ...decideMovement(reason),
        operationId,
        ...(actor !== undefined && { actor }),
      })
    : undefined
  if (!moved) throw refuse('variant_not_found', 'There is no such variant.')
  const level = levelOf(moved)
  if (moved.movementId === undefined) {
    const [code, message] =
      delta < 0
        ? (['stock_reserved', 'Less would be left than is reserved.'] as const)
        : (['stock_limit', 'That is more than a shelf can have.'] as const)
    throw refuse(code, message, { details: { variantId, delta, ...level } })
  }
  return { variantId, movementId: moved.movementId, ...level }
}
