import type { Statement } from '../database.ts'

/** Blocks of a table that one statement looks at: 32 MB, some 100,000 rows. */
export const stripBlocks = 4096

/** Rows that one statement strips: where there are more in its stretch, it is sent again for the same one. */
export const stripLimit = 1000

/** What a statement that strips answers. */
export interface Stripped {
  /** Blocks of the table, so that whoever walks knows when a lap is over. */
  readonly blocks: number
  readonly stripped: number
}

/**
 * Retention strips, it never forgets: who, which key, which input and how it ended stay; the response goes, and of a durable operation
 * the input and what its steps were asked and answered. It walks over the table as it lies on disk, a stretch at a time, because an
 * index for it would be paid for by every operation. What is not over, or has leftovers to be swept, keeps everything.
 */
export const stripOperations = (retention: number, fromBlock: number, limit = stripLimit): Statement => ({
  name: 'sp_strip_operations',
  text: `with stretch as materialized (
      select ctid as place from safepoint.operation
      where ctid >= format('(%s,0)', $2::bigint)::tid and ctid < format('(%s,0)', $3::bigint)::tid
        and ended_at < clock_timestamp() - $1::float8 * interval '1 millisecond' and stripped_at is null
        and (state in ('succeeded', 'failed') or (state = 'cancelled' and epoch is not null))
        and (cleanup is null or cleanup = 'done')
      limit $4::integer
      for update skip locked
    ), stripped as (
      update safepoint.operation set stripped_at = clock_timestamp(), head = null, body = null, undo_input = null, progress = null, input = null
      where ctid = any (array(select place from stretch))
      returning scope, key, epoch
    ), steps as (
      update safepoint.step s set request = null, response = null, undo_error = null
      from stripped o where o.epoch is not null and s.scope = o.scope and s.key = o.key
    ), answers as (
      update safepoint.evidence e set payload = null
      from stripped o where o.epoch is not null and e.scope = o.scope and e.key = o.key
    )
    select (pg_relation_size('safepoint.operation') / current_setting('block_size')::integer)::float8 as blocks,
      (select count(*) from stripped)::integer as stripped`,
  values: [retention, fromBlock, fromBlock + stripBlocks, limit],
})
