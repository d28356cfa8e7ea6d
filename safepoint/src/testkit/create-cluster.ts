import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { serverAccount } from './postgres-binaries.ts'
import { openServerFolder } from './postmaster.ts'
import { startPostgresError } from './start-postgres-error.ts'
import { serverEnvironment } from './tied-process.ts'

/**
 * Makes a cluster with one superuser, `postgres`, whose password is put into `passwordFile` (mode 0600); every
 * connection needs it. A crash in the middle leaves nothing that counts as a cluster.
 */
export async function createCluster(options: {
  binaries: string
  major: 15 | 18
  cluster: string
  passwordFile: string
  fsync: boolean
}): Promise<void> {
  const { binaries, major, cluster, passwordFile, fsync } = options
  const draft = `${cluster}.draft`
  fs.rmSync(draft, { recursive: true, force: true })
  fs.mkdirSync(draft, { mode: 0o700 })
  // Read by initdb under its own account, from the open descriptor 4 where it could not walk to the path.
  const password = randomBytes(24).toString('base64url')
  const passwordDraft = `${passwordFile}.draft`
  fs.rmSync(passwordDraft, { force: true })
  fs.writeFileSync(passwordDraft, `${password}\n`, { mode: 0o600 })
  const { uid, gid } = serverAccount()
  if (uid !== undefined && gid !== undefined) for (const file of [draft, passwordDraft]) fs.chownSync(file, uid, gid)

  const folder = openServerFolder(draft)
  const passwordDescriptor = fs.openSync(passwordDraft, 'r')
  try {
    const passwordPath = folder.stdio === 'ignore' ? passwordDraft : '/proc/self/fd/4'
    const args = ['-D', folder.path, '--username=postgres', `--pwfile=${passwordPath}`, '--auth=scram-sha-256']
    args.push('--encoding=UTF8', '--locale=C', '--no-instructions')
    // C order with Unicode-aware upper and lower; from PostgreSQL 17 on, and the same on every system.
    if (major >= 17) args.push('--locale-provider=builtin', '--builtin-locale=C.UTF-8')
    if (!fsync) args.push('--no-sync')
    await run(path.join(binaries, 'bin', 'initdb'), args, [folder.stdio, passwordDescriptor])
  } finally {
    folder.close()
    fs.closeSync(passwordDescriptor)
  }
  if (uid !== undefined) fs.chownSync(passwordDraft, process.getuid?.() ?? 0, process.getgid?.() ?? 0)
  // The password first: a cluster that is there always has its password.
  fs.renameSync(passwordDraft, passwordFile)
  fs.renameSync(draft, cluster)
}

function run(command: string, args: string[], descriptors: (number | 'ignore')[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...serverAccount(),
      cwd: '/',
      env: serverEnvironment,
      stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
    })
    // It would go on making what nobody waits for, and the next start begins anew.
    const end = () => child.kill()
    process.once('exit', end)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    child.once('error', (error) =>
      reject(
        startPostgresError('start_failed', `Could not run ${command}: ${error.message}. Set DATABASE_URL.`, error),
      ),
    )
    child.once('close', (code, signal) => {
      process.off('exit', end)
      if (code === 0) return resolve()
      const last = output.trim().split('\n').slice(-3).join(' ')
      reject(startPostgresError('start_failed', `initdb ended with ${code ?? signal}: ${last}`))
    })
  })
}
