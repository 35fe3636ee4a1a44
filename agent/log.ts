/** The agent's log: JSON lines for journald, readable lines on a terminal. Without file names unless asked for. */
import { type Logger, pino, stdSerializers } from 'pino';
import pretty from 'pino-pretty';

/** Names stand in the field `path`, and in errors of the file system; both are taken out unless `paths`. */
export function createLog(options: {
  readonly level: string;
  readonly paths: boolean;
  readonly pretty: boolean;
}): Logger {
  const settings = {
    level: options.level,
    base: null,
    redact: options.paths ? [] : { paths: ['path', '*.path'], remove: true },
    serializers: { err: options.paths ? stdSerializers.err : withoutNames },
  };
  if (!options.pretty) return pino(settings);
  return pino(settings, pretty({ colorize: true, translateTime: 'SYS:HH:MM:ss.l', sync: true }));
}

/** An error without the file name that Node puts into its message, `path` and `dest`. */
function withoutNames(error: Error): object {
  const { path, dest } = error as { path?: unknown; dest?: unknown };
  const strip = (text: string) =>
    [path, dest].reduce<string>(
      (rest, name) => (typeof name === 'string' && name !== '' ? rest.replaceAll(name, '[file]') : rest),
      text,
    );
  return {
    type: error.name,
    code: (error as NodeJS.ErrnoException).code,
    message: strip(error.message),
    stack: strip(error.stack ?? ''),
  };
}
