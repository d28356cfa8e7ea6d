import { addAddress } from './add-address.ts'
import { changeAddress } from './change-address.ts'
import { deleteAddress } from './delete-address.ts'

/** The operations on addresses. */
export const addressOperations = { addAddress, changeAddress, deleteAddress }
