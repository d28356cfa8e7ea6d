// A server process without HTTP: an engine that runs, cancels and looks as its parent says, over IPC.
import pg from 'pg'
import { pgDatabase } from '../../src/databases/pg.ts'
import { topics } from '../../src/topics.ts'
import { createSafepoint, isSafepointError, type SignalBus } from '../../src/index.ts'
import { postgresBus } from '../../src/signals/postgres.ts'
import { serveCommands } from './forked-server.ts'
import { deaf, type RaceCommand, type RaceReply, type RaceServerConfig } from './race-commands.ts'
import { now, raceOperations, tracing, type Trace } from './race-operations.ts'

const config: RaceServerConfig = JSON.parse(process.argv[2]!)
const operations = raceOperations((key) => process.send!({ event: 'returning', key }))
const database = pgDatabase({ driver: pg, url: config.url, max: config.connections })
const safepoint = createSafepoint({
  database,
  operations: Object.values(operations),
  bus: deafBus(postgresBus(database)),
})
await safepoint.start()

serveCommands<RaceCommand, RaceReply>(
  async (command) => {
    const traces: Trace[] = []
    const sentAt = now()
    try {
      const said = await tracing.run(traces, () => answer(command))
      return { sentAt, toldAt: now(), said, traces }
    } catch (error) {
      const code = isSafepointError(error) ? error.code : (error as { code?: string }).code
      return { sentAt, toldAt: now(), threw: { code, message: String(error) }, traces }
    }
  },
  async () => {
    await safepoint.stop({ grace: 1000 })
    await database.close()
  },
)

function answer(command: RaceCommand): Promise<unknown> {
  const { scope, key } = command
  switch (command.call) {
    case 'run':
      return safepoint.run(operations[command.isolation], command.input, {
        scope,
        key,
        ...(command.retryAttempt !== undefined && { retryAttempt: command.retryAttempt }),
      })
    case 'cancel':
      return safepoint.cancel(scope, key)
    case 'find':
      return safepoint.find(scope, key)
  }
}

function deafBus(bus: SignalBus): SignalBus {
  return {
    ...bus,
    subscribe: (topic, listener) =>
      bus.subscribe(topic, (data, origin) => {
        if (topic !== topics.cancel || !(JSON.parse(data)[1] as string).startsWith(deaf)) listener(data, origin)
      }),
  }
}
