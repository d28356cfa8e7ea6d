import { execFile, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { readConfig } from './config.ts'
import { prepareDatabase } from './prepare-database.ts'
import { orderWorld } from './test/order-world.ts'

const guide = fs.readFileSync(path.join(import.meta.dirname, '..', '..', 'docs', 'guides', 'other-clients.md'), 'utf8')
const tools = ['curl', 'jq'].filter((tool) => spawnSync(tool, ['--version']).error !== undefined)

const world = await orderWorld()

/** A status, and what a cancel or a problem comes to. */
const said = (text: string) => text.match(/HTTP\/1\.1 \d+|"(?:outcome|code)":"\w+"/g)

test.skipIf(tools.length > 0 && process.env.CI !== 'true')(
  'the curl commands of the guide, as they are printed, are answered as it prints',
  async () => {
    await prepareDatabase(world.url, readConfig({}), pino({ level: 'silent' }), new AbortController().signal)
    const shop = await world.listen()
    const lines = [...guide.matchAll(/```console\n(.*?)```/gs)].flatMap(([, block]) => block!.split('\n'))
    const commands: string[] = []
    const answers: string[] = []
    let continued = false
    for (const line of lines) {
      const isCommand: boolean = continued || line.startsWith('$ ')
      if (isCommand) commands.push(continued ? line : line.slice(2))
      else answers.push(line)
      continued = isCommand && line.endsWith('\\')
    }
    const script = commands.join('\n').replace('http://127.0.0.1:3000', shop)
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'other-clients-'))
    try {
      const output = await new Promise<string>((resolve, reject) => {
        execFile('bash', ['-c', script], { cwd: folder }, (error, stdout) => (error ? reject(error) : resolve(stdout)))
      })
      expect(said(output)).toEqual(said(answers.join('\n')))
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  },
)
