// npm warns (EBADENGINE) about every locked package whose `engines` the system's Node does not meet, although the project
// runs on the Node it brings itself. The lock file is the only place where that can be silenced without hiding real warnings.
import fs from 'node:fs'

const file = 'package-lock.json'
const lock = JSON.parse(fs.readFileSync(file, 'utf8'))
for (const [path, entry] of Object.entries(lock.packages)) if (path.includes('node_modules/')) delete entry.engines
fs.writeFileSync(file, JSON.stringify(lock, null, 2) + '\n')
