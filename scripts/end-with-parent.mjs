// Loaded into the server by `npm start`. When the process that started it is gone, however it ended, the kernel closes
// the channel between them, and the server shuts down as it does for a SIGTERM.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
