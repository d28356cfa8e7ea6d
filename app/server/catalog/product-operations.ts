import { archiveProduct } from './archive-product.ts'
import { changeProduct, type CatalogOptions } from './change-product.ts'
import { createProduct } from './create-product.ts'

/** The operations on the catalogue. */
export const productOperations = (options: CatalogOptions) => ({
  createProduct: createProduct(options),
  changeProduct: changeProduct(options),
  archiveProduct,
})

export type ProductOperations = ReturnType<typeof productOperations>
