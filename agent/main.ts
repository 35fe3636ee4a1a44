/** The agent's process. Only here: environment, arguments, signals, exit codes. What to do stands in `commands.ts`. */

/** What a signal does: ends the process, with a word, until a command takes over. */
let onSignal = (signal: NodeJS.Signals) => {
  process.stderr.write(`ended by ${signal}\n`);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => onSignal(signal));

// Whoever reads the output may have enough of it (`| head`).
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });

const { runCommand } = await import('./commands.ts'); // loads for a moment: signals are heard before
process.exitCode = await runCommand(process.argv.slice(2), {
  environment: { ...process.env },
  onTerminal: process.stdout.isTTY === true,
  print: (line) => process.stdout.write(`${line}\n`),
  printError: (text) => process.stderr.write(text),
  takeSignals() {
    const end = onSignal;
    const stop = new AbortController();
    onSignal = () => {
      onSignal = end; // who asks twice does not want to wait
      stop.abort();
    };
    stopWhenLauncherEnds(stop);
    return stop.signal;
  },
  dropSecrets(names) {
    for (const name of names) delete process.env[name];
  },
});

/** Started through npx, the process that the caller knows and kills is npm's, not this one: end when it is gone. */
function stopWhenLauncherEnds(stop: AbortController): void {
  if (process.env.npm_command !== 'exec') return;
  const launcher = process.ppid;
  setInterval(() => {
    if (process.ppid !== launcher) stop.abort();
  }, 500).unref();
}
