import type { Engine } from './engine.ts'
import { stripBlocks, stripLimit, stripOperations, type Stripped } from './sql/strip-operations.ts'
import { stripCancelEvents, stripInboxConflicts } from './sql/strip-payloads.ts'

/**
 * Walks over what is kept, a stretch of each table at a time, and strips what is past its retention. Each call sends one short
 * statement a table, whatever there is to do; it answers whether more is waiting where it stands.
 */
export function retentionSweep({ database, retention }: Engine): () => Promise<boolean> {
  const walks = [stripOperations, stripCancelEvents, stripInboxConflicts].map((strip) => ({ strip, from: 0 }))
  return async () => {
    let more = false
    for (const walk of walks) {
      const { rows } = await database.query<Stripped>(walk.strip(retention, walk.from))
      const { blocks, stripped } = rows[0]!
      if (stripped === stripLimit) more = true
      else walk.from = walk.from + stripBlocks < blocks ? walk.from + stripBlocks : 0
    }
    return more
  }
}
