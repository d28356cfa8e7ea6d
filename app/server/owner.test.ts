import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { claimOwnership, findOwner } from './owner.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'owner-'))
afterAll(() => fs.rmSync(folder, { recursive: true }))

const details = { url: 'http://127.0.0.1:3000', databaseUrl: 'postgres://postgres:secret@127.0.0.1:5432/postgres' }
const makeDataDir = () => fs.mkdtempSync(path.join(folder, 'data-'))

/** Another process that owns the folder until it is killed. */
function ownElsewhere(dataDir: string) {
  const code = `import { claimOwnership } from ${JSON.stringify(path.join(import.meta.dirname, 'owner.ts'))}
try {
  claimOwnership(${JSON.stringify(dataDir)}).publish(${JSON.stringify(details)})
} catch (error) {
  if (error.code !== 'data_dir_owned') throw error
  process.exit(3)
}
console.log('owned')
setInterval(() => {}, 60_000)`
  const child = spawn(process.execPath, ['--conditions=source', '--input-type=module-typescript', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return new Promise<typeof child>((resolve, reject) => {
    child.stdout.once('data', () => resolve(child))
    child.once('exit', (status) => reject(new Error(`the owner ended with ${status}`)))
  })
}

test('the owner is found by others with what it published, in a file that is its own', () => {
  const dataDir = makeDataDir()
  const ownership = claimOwnership(dataDir)
  expect(findOwner(dataDir)).toMatchObject({ pid: process.pid })
  ownership.publish(details)
  expect(findOwner(dataDir)).toMatchObject({ pid: process.pid, ...details })
  expect(fs.statSync(path.join(dataDir, 'owner.json')).mode & 0o777).toBe(0o600)
  ownership.release()
  expect(findOwner(dataDir)).toBeUndefined()
})

test('a second owner is refused with the first one’s process and address; a killed owner’s folder is taken over', async () => {
  const dataDir = makeDataDir()
  const other = await ownElsewhere(dataDir)
  const ended = new Promise((resolve) => other.once('exit', resolve))
  expect(findOwner(dataDir)).toMatchObject({ pid: other.pid, ...details })
  expect(() => claimOwnership(dataDir)).toThrow(
    expect.objectContaining({
      code: 'data_dir_owned',
      message: expect.stringContaining(`process ${other.pid}, at ${details.url}`),
    }),
  )
  other.kill('SIGKILL')
  await ended
  expect(findOwner(dataDir)).toBeUndefined()
  claimOwnership(dataDir).release()
})

test('a folder that cannot be is told by the name of its variable, and made with what is missing above it where it can', () => {
  const file = path.join(folder, 'a file')
  fs.writeFileSync(file, '')
  // Of the last two one takes no folders (Node's own recursive mkdir never returns from it), and the other takes no files.
  for (const wrong of [
    file,
    path.join(file, 'below'),
    ...(process.platform === 'linux' ? ['/proc/pantry', '/proc'] : []),
  ])
    expect(() => claimOwnership(wrong)).toThrow(new RegExp(`^DATA_DIR ${wrong} cannot be used: `))
  const deep = path.join(folder, 'not', 'there', 'yet')
  claimOwnership(deep).release()
  expect(fs.statSync(deep).mode & 0o777).toBe(0o700)
})

test('a process that got the pid of a dead owner is not taken for it', () => {
  const dataDir = makeDataDir()
  const claim = { pid: process.pid, identity: 'of an earlier process' }
  fs.writeFileSync(path.join(dataDir, 'owner.1.claim'), JSON.stringify(claim))
  fs.writeFileSync(path.join(dataDir, 'owner.json'), JSON.stringify({ ...claim, ...details }))
  expect(findOwner(dataDir)).toBeUndefined()
  claimOwnership(dataDir).release()
})

test('of eight processes that take over at once exactly one owns the folder', async () => {
  const dataDir = makeDataDir()
  fs.writeFileSync(path.join(dataDir, 'owner.3.claim'), JSON.stringify({ pid: 1, identity: 'long gone' }))
  const owners = await Promise.allSettled(Array.from({ length: 8 }, () => ownElsewhere(dataDir)))
  const won = owners.filter((owner) => owner.status === 'fulfilled')
  expect(won).toHaveLength(1)
  expect(findOwner(dataDir)?.pid).toBe(won[0]!.value.pid)
  for (const owner of won) owner.value.kill('SIGKILL')
})
