import type { Statement } from '../database.ts'
import { operationColumns } from './operation-row.ts'

/** Read on the primary, in a transaction of its own. */
export const findOperation = (scope: string, key: string): Statement => ({
  name: 'sp_find_operation',
  text: `select ${operationColumns} from safepoint.operation where scope = $1::text and key = $2::text`,
  values: [scope, key],
})
