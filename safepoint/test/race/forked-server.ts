import { fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'

/** A process of its own that answers commands one by one, several at a time. */
export interface ForkedServer<Command, Reply> {
  readonly pid: number
  call(command: Command): Promise<Reply>
  /** What the process tells unasked: `{event, …}`. */
  readonly events: EventEmitter
  stop(): Promise<void>
}

/** Forks `script`, which calls `serveCommands`, and waits until it is ready. A process that dies rejects its open calls. */
export async function forkServer<Command, Reply>(script: URL, config: unknown): Promise<ForkedServer<Command, Reply>> {
  const child = fork(script, [JSON.stringify(config)], { execArgv: ['--conditions=source'], serialization: 'advanced' })
  const waiting = new Map<number, { resolve(reply: Reply): void; reject(error: Error): void }>()
  const events = new EventEmitter()
  let last = 0
  const over = once(child, 'exit')
  void over.then(([code, signal]) => {
    for (const { reject } of waiting.values()) reject(new Error(`The server process ended (${code ?? signal}).`))
    events.emit('exit')
  })
  child.on('message', (message: any) => {
    if (typeof message.event === 'string') return void events.emit(message.event, message)
    waiting.get(message.id)?.resolve(message.reply)
    waiting.delete(message.id)
  })
  await Promise.race([
    once(events, 'ready'),
    over.then(([code]) => {
      throw new Error(`The server process ended (${code}) before it was ready.`)
    }),
  ])
  return {
    pid: child.pid!,
    events,
    call: (command) =>
      new Promise((resolve, reject) => {
        const id = ++last
        waiting.set(id, { resolve, reject })
        child.send({ id, command })
      }),
    async stop() {
      if (child.connected) child.disconnect()
      await over
    },
  }
}

/** The child's side. It ends when its parent disconnects or is gone. */
export function serveCommands<Command, Reply>(
  answer: (command: Command) => Promise<Reply>,
  close: () => Promise<void>,
): void {
  process.on('message', ({ id, command }: { id: number; command: Command }) => {
    void answer(command).then((reply) => {
      if (process.connected) process.send!({ id, reply })
    })
  })
  process.on('disconnect', () => void close().finally(() => process.exit()))
  process.send!({ event: 'ready' })
}
