import { addWish } from './add-wish.ts'
import { removeWish } from './remove-wish.ts'

/** The operations of this domain; they need nothing but the transaction they run in. */
export const wishlistOperations = { addWish, removeWish }
