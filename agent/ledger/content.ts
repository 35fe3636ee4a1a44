/** Whether files hold what their verdicts are on: the part of `agent ledger verify` that reads them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { captureAt } from '../ingest/look.ts';
import { pathTo } from '../ingest/names.ts';
import { type Proof, some } from './proof.ts';
import type { LedgerReader } from './reader.ts';

/** A copy that keeps times, onto a name of the same size, may not be told by its file system: only its content tells. */
export async function contentProof({ database }: LedgerReader, folder: string): Promise<Proof> {
  const rows = database.prepare(
    `SELECT DISTINCT name, size, modified_ns, own.sha256
     FROM captures AS own JOIN captures AS first USING (name, size, modified_ns, kind)
     WHERE own.sha256 IS NOT NULL AND first.frame = 1 AND own.frame <= coalesce(first.frames, own.frame)`,
  );
  rows.setReadBigInts(true);
  const wrong: string[] = [];
  let read = 0;
  for (const { name, size, modified_ns, sha256 } of rows.iterate()) {
    const file = pathTo(folder, name as string);
    const stands = await captureAt(folder, name as string);
    if (stands?.size !== Number(size) || stands.modifiedNanoseconds !== modified_ns) continue;
    const hash = await hashOf(file, Number(size)).catch(() => null);
    if (hash === null) continue; // went meanwhile
    read++;
    if (hash !== sha256) wrong.push(name as string);
  }
  if (wrong.length === 0)
    return { what: 'content', ok: true, said: `${read} files hold what their verdict is on` };
  return {
    what: 'content',
    ok: false,
    said: `${wrong.length} of ${read} files hold something else, under the same name, size and time: ${some(wrong)}. \`touch\` them to have them judged`,
  };
}

/** Of as many bytes as the file says that it has, as its inspection read them: what says 0 may wait for ever (`/proc/kmsg`). */
async function hashOf(file: string | Buffer, size: number): Promise<string> {
  const hash = createHash('sha256');
  if (size > 0)
    for await (const chunk of createReadStream(file, { end: size - 1 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
