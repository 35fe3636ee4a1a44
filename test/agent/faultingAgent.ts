/** The agent with a fault: `faultingAgent.ts POINT TIME ARGUMENTS...` ends itself by SIGKILL when it comes to that point for the TIMEth time. */
import { runCommand } from '../../agent/commands.ts';

const [point, time, ...args] = process.argv.slice(2);
let times = 0;
process.exitCode = await runCommand(args, {
  environment: { ...process.env },
  onTerminal: false,
  print: (line) => process.stdout.write(`${line}\n`),
  printError: (text) => process.stderr.write(text),
  faultPoint(at) {
    if (at === point && ++times === Number(time)) process.kill(process.pid, 'SIGKILL');
  },
  takeSignals: () => new AbortController().signal,
  dropSecrets: () => {},
});
