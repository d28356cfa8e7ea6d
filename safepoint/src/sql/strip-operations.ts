import type { Statement } from '../database.ts'

/** Retention strips, it never forgets: who, which key, which input and how it ended stay; the response goes. */
export const stripOperations = (retention: number): Statement => ({
  name: 'sp_strip_operations',
  text: `update safepoint.operation set stripped_at = clock_timestamp(), head = null, body = null, undo_input = null, progress = null
    where (scope, key) in (
      select scope, key from safepoint.operation
      where ended_at < clock_timestamp() - $1::float8 * interval '1 millisecond' and stripped_at is null
        and state in ('succeeded', 'failed') limit 1000
      for update skip locked
    )`,
  values: [retention],
})
