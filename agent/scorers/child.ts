/** A scoring process: loads the bundle, then inspects one file after another. Entry point, forked by `process.ts`. */
import { writeFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { BundleError } from '../inspect/bundleError.ts';
import { type Inspector, loadInspector } from '../inspect/inspect.ts';
import { isShortage } from '../inspect/shortage.ts';
import type { FromScorer, ToScorer } from './messages.ts';

// The agent decides when this process ends; Ctrl-C in a terminal reaches it as well.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
// Without its agent it has no purpose. Not exit(): that would wait for native threads.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
if (!process.connected) process.exit(1);
preferAsVictim();

let inspector: Inspector | undefined;
process.on('message', async (message: ToScorer) => {
  if (message.type === 'load') {
    try {
      inspector = await loadInspector({ ...message, onDecoded: () => say({ type: 'decoded' }) });
      say({ type: 'ready', manifest: inspector.bundle.manifest });
      flushCompileCache(); // else written at a clean end, and this process is always killed
    } catch (error) {
      say({
        type: 'refused',
        bundle: error instanceof BundleError,
        message: (error as Error).message,
      });
    }
    return;
  }
  try {
    if (inspector === undefined) throw new Error('A file came before the bundle.');
    say({ type: 'inspected', inspection: await inspector.inspect(message.file, message.frame) });
  } catch (error) {
    const words = (error as Error).message.replaceAll(String(message.file), '[file]');
    say({ type: 'failed', message: words, shortage: isShortage(error) });
  }
});

function say(message: FromScorer): void {
  process.send?.(message);
}

/** When memory runs out, the system shall end this process, which is replaced, and not the agent. Linux only. */
function preferAsVictim(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '500');
  } catch {}
}
