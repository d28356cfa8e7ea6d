import type { Statement } from '../database.ts'

/** Blocks of the table that one statement looks at: 32 MB, some 100,000 rows. */
export const stripBlocks = 4096

/**
 * Retention strips, it never forgets: who, which key, which input and how it ended stay; the response goes. It walks over the
 * table as it lies on disk, a stretch at a time, because an index for it would be paid for by every operation. Answers how
 * many blocks the table has, so that whoever walks knows when a lap is over.
 */
export const stripOperations = (retention: number, fromBlock: number): Statement => ({
  name: 'sp_strip_operations',
  text: `with stretch as materialized (
      select ctid as place from safepoint.operation
      where ctid >= format('(%s,0)', $2::bigint)::tid and ctid < format('(%s,0)', $3::bigint)::tid
        and ended_at < clock_timestamp() - $1::float8 * interval '1 millisecond' and stripped_at is null
        and state in ('succeeded', 'failed')
      for update skip locked
    ), stripped as (
      update safepoint.operation set stripped_at = clock_timestamp(), head = null, body = null, undo_input = null, progress = null, input = null
      where ctid = any (array(select place from stretch))
    )
    select (pg_relation_size('safepoint.operation') / current_setting('block_size')::integer)::float8 as blocks`,
  values: [retention, fromBlock, fromBlock + stripBlocks],
})
