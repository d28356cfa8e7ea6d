import type { Safepoint, SqlTransaction } from 'safepoint'
import type { Tokens } from './accounts/tokens.ts'
import type { PantryDatabase } from './database.ts'

/** What the routes of every domain share. */
export interface Pantry {
  readonly safepoint: Safepoint<SqlTransaction>
  readonly database: PantryDatabase
  readonly tokens: Tokens
  /** The shop's one currency, ISO 4217. */
  readonly currency: string
}
