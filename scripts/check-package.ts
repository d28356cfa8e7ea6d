// Installs the packed library alone into an empty folder, as a user does, and exercises it on the given Node (20 is the
// oldest promised). `node scripts/check-package.ts <node>`.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { packLibrary, run } from './pack-library.ts'

const node = process.argv[2] ?? process.execPath
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'safepoint-package-'))
try {
  const tarball = packLibrary(folder)
  const user = path.join(folder, 'user')
  fs.mkdirSync(user)
  fs.writeFileSync(path.join(user, 'package.json'), '{"name":"user","private":true,"type":"module"}\n')
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', tarball], user)
  const brought = fs.readdirSync(path.join(user, 'node_modules')).filter((name) => !name.startsWith('.'))
  if (brought.join() !== 'safepoint') throw new Error(`The package brings more than itself: ${brought.join(', ')}`)
  fs.copyFileSync(path.join(import.meta.dirname, 'exercise-package.mjs'), path.join(user, 'exercise.mjs'))
  const pg = pathToFileURL(createRequire(import.meta.url).resolve('pg')).href
  console.log(run(node, ['exercise.mjs', pg, path.resolve(import.meta.dirname, '..')], user))
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
} finally {
  fs.rmSync(folder, { recursive: true, force: true })
}
