import * as kysely from 'kysely'
import { CompiledQuery, Kysely } from 'kysely'
import pg from 'pg'
import type { SqlTransaction } from '../src/index.ts'
import { kyselyDatabase } from '../src/databases/kysely.ts'
import { pgDatabase } from '../src/databases/pg.ts'
import { describeDatabaseContract, type ContractSubject } from './support/database-contract.ts'

const onPg = (prepared: boolean): ContractSubject<SqlTransaction> => ({
  open: ({ url, max, connect }) => pgDatabase({ driver: pg, url, max, prepared, timeouts: { connect } }),
  send: async (tx, text, values) => (await tx.query(text, values)).rows,
})
const onKysely: ContractSubject<Kysely<any>> = {
  open: (options) =>
    kyselyDatabase({
      database: onPg(true).open(options),
      kysely,
      create: (dialect) => new Kysely<any>({ dialect }),
    }),
  send: async (tx, text, values = []) => (await tx.executeQuery(CompiledQuery.raw(text, [...values]))).rows,
}

await describeDatabaseContract({
  pg: onPg(true),
  'pg without prepared statements': onPg(false),
  kysely: onKysely,
})
