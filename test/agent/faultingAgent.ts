/** The agent with a fault: `faultingAgent.ts POINT ARGUMENTS...` ends itself by SIGKILL when it first comes to that point. */
import { runCommand } from '../../agent/commands.ts';

const [point, ...args] = process.argv.slice(2);
process.exitCode = await runCommand(args, {
  environment: { ...process.env },
  onTerminal: false,
  print: (line) => process.stdout.write(`${line}\n`),
  printError: (text) => process.stderr.write(text),
  faultPoint(at) {
    if (at === point) process.kill(process.pid, 'SIGKILL');
  },
  takeSignals: () => new AbortController().signal,
  dropSecrets: () => {},
});
