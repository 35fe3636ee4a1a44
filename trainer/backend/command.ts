/** Runs another program to its end. */
import { spawn } from 'node:child_process';

export interface CommandOptions {
  signal?: AbortSignal | undefined;
  cwd?: string | undefined;
  /** Text for its standard input. */
  input?: string | undefined;
  /** Its whole environment; ours when left out. */
  environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * Runs `program` and gives what it wrote to standard output.
 *
 * @throws Error when it cannot be started (`cause` has code ENOENT when there is no such program), when it
 *   exits with another code than 0 (the message ends with the last lines of its standard error), and an
 *   AbortError when the signal ended it.
 */
export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: options.cwd,
    signal: options.signal,
    ...(options.environment && { env: { ...options.environment } }),
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  // A child that ends without reading its input is reported by its exit code, not by the broken pipe.
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  child.on('error', (cause) => {
    if (cause.name === 'AbortError') reject(cause);
    else reject(new Error(`${program} could not be started: ${cause.message}`, { cause }));
  });
  child.on('close', (code, signal) => {
    if (code === 0) resolve(output);
    else
      reject(
        new Error(`${program} ${args[0] ?? ''} ended with ${signal ?? `exit code ${code}`}${tail(errors)}`),
      );
  });
  return promise;
}

/** The last lines of a program's complaint, indented, for an error message. */
function tail(text: string): string {
  const lines = text.trimEnd().split('\n').slice(-8);
  return lines[0] === '' ? '' : `:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
