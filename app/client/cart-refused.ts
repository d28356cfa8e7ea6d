import type { Problem } from 'safepoint/client'

/** The server's own codes for the same. */
type RefusalCode = 'cart_empty' | 'cart_full' | 'cart_item_not_found' | 'product_not_found' | 'quantity_limit'

/** Refused here, before anything was sent; `problem` reads as the server's own would, so that one way of telling does for both. */
export class CartRefused extends Error {
  override readonly name = 'CartRefused'
  readonly problem: Problem

  constructor(code: RefusalCode, title: string) {
    super(title)
    this.problem = { type: `/errors/${code}`, title, status: 0, code, retryable: false }
  }
}
