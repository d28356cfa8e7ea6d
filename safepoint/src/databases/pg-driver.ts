import type { Statement } from '../database.ts'

/** The parts of a `pg` client that are used. */
export interface PgClient {
  query(config: object, callback: (error: Error | null, result: any) => void): unknown
  connect(): Promise<unknown>
  end(): Promise<void>
  release?(error?: Error | boolean): void
  on(event: string, listener: (...args: any[]) => void): unknown
  getTransactionStatus?(): string | null
  readonly processID?: number | null
  readonly connection?: {
    readonly stream?: { cork?(): void; uncork?(): void; write?(data: Uint8Array): unknown; destroy?(): unknown }
    readonly parsedStatements?: Record<string, string>
    sync(): unknown
    readonly submittedNamedStatements?: Record<string, string>
    parse(...what: any[]): unknown
    bind(...what: any[]): unknown
    describe(...what: any[]): unknown
    execute(...what: any[]): unknown
    close(...what: any[]): unknown
  }
}

export interface PgPool {
  connect(): Promise<PgClient & { release(error?: Error | boolean): void }>
  on(event: string, listener: (...args: any[]) => void): unknown
  end(): Promise<void>
}

/** What `import pg from 'pg'` gives (pg 8.23 or newer: the first that pipelines). */
export interface PgDriver {
  readonly Pool: new (config: any) => PgPool
  readonly Client: new (config: any) => PgClient
  /** Lets several statements share one Sync; without it each has its own. */
  readonly Query?: new (config: any, values: any, callback: (error: Error | null, results: any) => void) => any
}

/** A statement as `pg` takes it. */
export interface WireStatement {
  readonly name?: string
  readonly text: string
  readonly values?: unknown[]
  readonly queryMode?: 'extended'
  readonly silent?: boolean
  /** Its answer is not to wait for what travels behind it. */
  readonly flush?: boolean
}

/** A statement as `pg` takes it. Always the extended protocol, which refuses several statements in one text. */
export function wire({ name, text, values, silent }: Statement, prepared: boolean): WireStatement {
  return prepared && name !== undefined
    ? { name, text, values: values as unknown[], ...(silent && { silent }) }
    : { text, values: values as unknown[], queryMode: 'extended', ...(silent && { silent }) }
}
