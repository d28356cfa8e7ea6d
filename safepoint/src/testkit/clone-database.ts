import { randomBytes } from 'node:crypto'

interface Client {
  connect: () => Promise<unknown>
  query: (text: string) => Promise<unknown>
  end: () => Promise<void>
}

/**
 * Makes a database on the server of `url` (whose user must be allowed to) and returns its URL. With `template` it is a
 * copy of that database, which nobody may be connected to meanwhile; a copy takes tens of milliseconds, where migrating
 * takes hundreds. Needs the package `pg`.
 */
export async function createDatabase(url: string, options: { name?: string; template?: string } = {}): Promise<string> {
  const name = options.name ?? `test_${randomBytes(6).toString('hex')}`
  const template = options.template === undefined ? '' : ` template ${quote(options.template)}`
  await execute(url, `create database ${quote(name)}${template}`)
  const made = new URL(url)
  made.pathname = `/${encodeURIComponent(name)}`
  return made.href
}

/** Drops the database that `url` names, and whatever connections it still has. One that is not there is no error. */
export async function dropDatabase(url: string): Promise<void> {
  const maintenance = new URL(url)
  const name = decodeURIComponent(maintenance.pathname.slice(1))
  maintenance.pathname = '/postgres'
  await execute(maintenance.href, `drop database if exists ${quote(name)} with (force)`)
}

async function execute(url: string, statement: string): Promise<void> {
  // Loaded here, so that the library stays free of dependencies; it is an optional peer.
  const loaded = (await import('pg')) as unknown as { default: { Client: new (url: string) => Client } }
  const client = new loaded.default.Client(url)
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

const quote = (identifier: string) => `"${identifier.replaceAll('"', '""')}"`
