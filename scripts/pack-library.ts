// Builds and packs `safepoint` as it is published: compiled afresh, without the `source` condition (the sources are not
// in the package) and without the fields that only the repository needs. `node scripts/pack-library.ts [folder]`.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')

/** Returns the path of the tarball in `folder`. */
export function packLibrary(folder: string): string {
  const library = path.join(root, 'safepoint')
  const stage = fs.mkdtempSync(path.join(os.tmpdir(), 'safepoint-pack-'))
  try {
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
    const outputs = ['--outDir', path.join(stage, 'dist'), '--tsBuildInfoFile', path.join(stage, '.tsbuildinfo')]
    run(process.execPath, [tsc, '-p', library, ...outputs], root)
    fs.cpSync(path.join(library, 'migrations'), path.join(stage, 'migrations'), { recursive: true })
    // The README of the package speaks to who installs it; the repository's to who has cloned it.
    fs.copyFileSync(path.join(library, 'README.md'), path.join(stage, 'README.md'))
    for (const file of ['LICENSE', 'CHANGELOG.md', 'SPEC.md'])
      fs.copyFileSync(path.join(root, file), path.join(stage, file))
    const manifest = JSON.parse(fs.readFileSync(path.join(library, 'package.json'), 'utf8'))
    delete manifest.devDependencies
    delete manifest.scripts
    for (const entry of Object.values<Record<string, string> | string>(manifest.exports)) {
      if (typeof entry === 'object') delete entry.source
    }
    fs.writeFileSync(path.join(stage, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    const packed = run('npm', ['pack', '--json', '--pack-destination', folder], stage)
    return path.join(folder, JSON.parse(packed)[0].filename)
  } finally {
    fs.rmSync(stage, { recursive: true, force: true })
  }
}

/** Throws with what the command said. */
export function run(command: string, args: string[], cwd: string): string {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${path.basename(command)} ${args[0]} failed:\n${stdout}${stderr}`, { cause: error })
  }
}

if (process.argv[1] === import.meta.filename) console.log(packLibrary(path.resolve(process.argv[2] ?? '.')))
