import type { Statement } from '../database.ts'
import { stripBlocks, stripLimit } from './strip-operations.ts'

/**
 * What others sent about an operation, by its own age, because it may come long after the operation has ended, and of one that has left
 * no row: the payload goes; who, when, why and what was answered stay. While the operation is not over it is kept.
 */
const stripPayloads =
  (table: 'cancel_event' | 'inbox_conflict') =>
  (retention: number, fromBlock: number, limit = stripLimit): Statement => ({
    name: `sp_strip_${table}`,
    text: `with stretch as materialized (
        select t.ctid as place from safepoint.${table} t
        where t.ctid >= format('(%s,0)', $2::bigint)::tid and t.ctid < format('(%s,0)', $3::bigint)::tid
          and t.payload is not null and t.at < clock_timestamp() - $1::float8 * interval '1 millisecond'
          and not exists (select from safepoint.open_operation o where o.scope = t.scope and o.key = t.key)
        limit $4::integer
        for update of t skip locked
      ), stripped as (
        update safepoint.${table} set payload = null where ctid = any (array(select place from stretch)) returning 1
      )
      select (pg_relation_size('safepoint.${table}') / current_setting('block_size')::integer)::float8 as blocks,
        (select count(*) from stripped)::integer as stripped`,
    values: [retention, fromBlock, fromBlock + stripBlocks, limit],
  })

export const stripCancelEvents = stripPayloads('cancel_event')
export const stripInboxConflicts = stripPayloads('inbox_conflict')
