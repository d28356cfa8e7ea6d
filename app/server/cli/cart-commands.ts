import { emailKeyOf } from '../accounts/accounts.ts'
import { findCart } from '../cart/cart.queries.ts'
import { tidyCarts, type TidiedAccount } from '../cart/tidy-carts.ts'
import { findAccountId } from './cli.queries.ts'
import type { Command } from './command.ts'
import { Refused } from './refused.ts'
import { formatMoney } from './print.ts'

const showCart: Command = {
  name: ['cart', 'show'],
  summary: "An account's active cart, as the shop shows it",
  takes: ['EMAIL'],
  async run({ database, currency }, { words }) {
    const email = words.EMAIL!
    const accountId = await findAccountId(database, emailKeyOf(email))
    if (accountId === undefined) throw new Refused(`No account has the address ${email}.`)
    const found = await findCart(database, accountId, currency)
    if (!found) return { json: null, empty: `${email} has no cart yet: one is made when it is first looked at.` }
    const { cart, imported } = found
    return {
      json: cart,
      lines: [
        `cart ${cart.id}, version ${cart.version}, changed ${cart.updatedAt}`,
        `${cart.itemsCount} lines, ${cart.totalItems} units, ${formatMoney(cart.totalPrice)}`,
        ...(imported ? ['imported carts wait to be folded in: cart tidy does it'] : []),
      ],
      table: {
        head: ['product', 'quantity', 'price', 'total', 'available', 'variant'],
        rows: cart.items.map((item) => [
          item.name,
          item.quantity,
          item.unitPrice,
          item.totalPrice,
          item.available,
          item.variantId,
        ]),
      },
      empty: 'It is empty.',
    }
  },
}

const tidy: Command = {
  name: ['cart', 'tidy'],
  summary: 'Folds carts that an import brought into the active ones, of one account or of all',
  takes: ['[EMAIL]'],
  async run(attached, { words }) {
    const { pantry } = await attached.engine()
    const email = words['[EMAIL]']
    if (email !== undefined && (await findAccountId(attached.database, emailKeyOf(email))) === undefined)
      throw new Refused(`No account has the address ${email}.`)
    const tidied: TidiedAccount[] = []
    for await (const account of tidyCarts(pantry, { email })) tidied.push(account)
    return {
      json: tidied,
      table: {
        head: ['account', 'carts', 'lines', 'left out'],
        rows: tidied.map((account) => [account.email, account.carts, account.lines, account.notMerged.length]),
      },
      empty: 'There is nothing to tidy.',
    }
  },
}

export const cartCommands: readonly Command[] = [showCart, tidy]
