import { isDurable, type AnyOperation, type Step } from 'safepoint'

/** A route that an operation is called by, as OpenAPI tells it. */
export interface OperationRouteFacts {
  readonly operation: string
  readonly method: string
  readonly path: string
  readonly key: string
  readonly onDisconnect: string
}

/** What OpenAPI says of the routes of operations, under `x-safepoint`. */
export function listOperationRoutes(document: object): OperationRouteFacts[] {
  const { paths = {} } = document as { paths?: Record<string, Record<string, { 'x-safepoint'?: any }>> }
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { 'x-safepoint': policies }]) =>
      typeof policies?.operation === 'string'
        ? [
            {
              operation: policies.operation,
              method: method.toUpperCase(),
              path,
              key: policies.key,
              onDisconnect: policies.onDisconnect,
            },
          ]
        : [],
    ),
  )
}

/** Where an early write-up of the same shop said what should become of each operation, and what it is called here. */
const earlier = [
  ['Add to Cart', 'accept it: the user can remove it', ['cart.add-item']],
  ['Add to Wishlist', 'accept it: the user can remove it', ['wishlist.add']],
  ['Add Address', 'accept it: the user can delete it', ['address.add']],
  ['Create Order', 'no: an idempotency key, or two phases', ['order.place', 'order.confirm']],
  ['Process Payment', "no: the gateway's idempotency", ['order.confirm', 'payment.create-from-cart']],
  ['Delete Item', 'accept it: twice is once', ['cart.remove-item', 'wishlist.remove', 'address.delete']],
  ['Update Profile', 'accept it: it is idempotent', ['account.change-profile']],
] as const

/**
 * docs/operations.md: what a cancel does to each operation, made of the definitions that the engine runs by. Throws when
 * an operation does not say what a cancel means.
 */
export function operationsMarkdown(
  operations: readonly AnyOperation[],
  routes: readonly OperationRouteFacts[],
): string {
  const own = operations.filter(({ name }) => !name.endsWith('.undo')).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const durable = own.filter((operation) => isDurable(operation))
  return `${[
    '# Operations',
    '',
    'What a cancel does to each write of the shop. Every cancel is answered with the truth (SPEC.md section 6): in time, and the operation is as if it',
    'had never been asked for; too late, and the answer has the result and says whether it can be undone.',
    '',
    '- **Key**: whether the route wants an `Idempotency-Key`; *derived* is made of the request, such as an event’s id.',
    '- **A cancel**: what it means for the person who presses it.',
    '- **Connection lost**: `finish` goes on without the caller, `cancel` is a cancel, `cancel-until-first-step` is one while nothing has been called outside.',
    '- **Once it is done**: *undo* means that `POST /api/operations/{key}/undo` takes it back; otherwise why it stays.',
    '',
    ...table(
      ['Operation', 'Route, key', 'A cancel', 'Connection lost', 'Once it is done'],
      own.map((operation) => [
        `\`${operation.name}\`${isDurable(operation) ? ' ¹' : ''}`,
        routes
          .filter((route) => route.operation === operation.name)
          .map(({ method, path, key }) => `\`${method} ${path}\`, ${key === 'derived' ? '*derived*' : key}`)
          .join('<br>') || 'none: the shop runs it itself',
        cancelOf(operation),
        disconnectsOf(operation, routes).join(', '),
        operation.undo ? '*undo*' : `Stays. ${operation.keep}`,
      ]),
    ),
    '',
    '¹ In steps, because something outside is called: below.',
    '',
    '## Steps',
    '',
    'A cancel stops before the next step and goes back over those that were done, the last one first; so does a failure, also of what takes no cancel. **Taken back**: *undone* by the',
    'undo it declares, before `cancelled` is answered, and where that refuses (money that has gone back is not taken again) the operation is `needs_attention`, for a human; *swept* is cleared away',
    'afterwards, because nobody sees it or pays for it. **Answer lost**: how the engine learns what became of a call, tried in this order.',
    ...durable.flatMap((operation) => [
      '',
      `### \`${operation.name}\``,
      '',
      ...stepTable(operation.steps),
      ...(operation.undo?.steps ? ['', 'Its undo, once it is done:', '', ...stepTable(operation.undo.steps)] : []),
    ]),
    '',
    '## Compared with an earlier write-up',
    '',
    'The same shop was once described with a server that cannot know whether its client is still there, and a table of what to accept for that reason. Here nothing has to be',
    'accepted: what was cancelled in time has not happened.',
    '',
    ...table(
      ['Then', 'Completes after a cancel?', 'Here', 'Completes after a cancel?', 'And once it is done'],
      earlier.flatMap(([then, said, names]) =>
        names.map((name, n) => {
          const operation = own.find((one) => one.name === name)
          if (!operation) throw new Error(`There is no operation ${name} to compare with.`)
          const ends = operation.uncancellable === undefined ? 'no' : 'yes'
          return [n === 0 ? then : '', n === 0 ? said : '', `\`${name}\``, ends, operation.undo ? 'undo' : 'stays']
        }),
      ),
    ),
  ].join('\n')}\n`
}

function cancelOf(operation: AnyOperation): string {
  if (operation.uncancellable !== undefined) return `Not taken. ${operation.uncancellable}`
  if (operation.onCancel === undefined) throw new Error(`${operation.name} does not say what a cancel means.`)
  return operation.onCancel
}

function disconnectsOf(operation: AnyOperation, routes: readonly OperationRouteFacts[]): string[] {
  const told = routes.filter((route) => route.operation === operation.name).map(({ onDisconnect }) => onDisconnect)
  return [...new Set(told.length > 0 ? told : [operation.inbox ? 'finish' : (operation.onDisconnect ?? 'finish')])].map(
    (policy) => `\`${policy}\``,
  )
}

function stepTable(steps: Readonly<Record<string, Step<any>>>): string[] {
  const names = Object.entries(steps)
  if (names.length === 0) return ['No steps: only its last transaction.']
  return table(
    ['Step', 'Where', 'Taken back', 'Answer lost'],
    names.map(([name, step]) => [`\`${name}\``, placeOf(step), leftOf(step), settledBy(step)]),
  )
}

function placeOf(step: Step<any>): string {
  if (step.form === 'outside') return `outside, at most ${step.timeout / 1000} s`
  return step.form === 'operation' ? `\`${step.operation().name}\`` : 'our database'
}

function leftOf(step: Step<any>): string {
  if (step.keep !== undefined) return `Stays. ${step.keep}`
  return 'cleanup' in step && step.cleanup ? '*swept*' : '*undone*'
}

function settledBy(step: Step<any>): string {
  if (step.form === 'operation') return 'asked under its key'
  if (step.form === 'transaction') return 'never: it is committed here'
  const { close, find, repeat } = step.settle ?? {}
  const means = [close && 'close', find && 'find', repeat && 'repeat'].filter(Boolean)
  return means.length > 0 ? means.join(', ') : 'a human decides'
}

function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string[] {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')).join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)]
}
