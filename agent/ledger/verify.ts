/** `agent ledger verify`: the agent's promise, held against the folder and the ledger as they are. */
import { lstat } from 'node:fs/promises';
import type { AgentSettings } from '../../config/agent.ts';
import type { Verdict, VerdictWord } from '../../config/verdict.ts';
import { type Capture, captureOfFrame, tooDeep } from '../capture.ts';
import { hasSiteKey, type Said, siteKey, verdictId } from '../deliver/identity.ts';
import { ledgerUnreachable } from '../deliver/ledgerUnreachable.ts';
import { ignoreMatcher } from '../ingest/ignore.ts';
import { captureAt, isImageName } from '../ingest/look.ts';
import { pathTo } from '../ingest/names.ts';
import { sweep } from '../ingest/sweep.ts';
import { contentProof } from './content.ts';
import { type Proof, some, TOLD } from './proof.ts';
import type { LedgerReader } from './reader.ts';

type VerifySettings = Pick<
  AgentSettings,
  'watch.path' | 'watch.ignore' | 'watch.settle' | 'limits.depth' | 'state.path'
>;

/**
 * Proves one thing after the other; what does not hold does not stop the next.
 * @param content reads every file, too.
 */
export async function* verify(
  reader: LedgerReader,
  settings: VerifySettings,
  content: boolean,
): AsyncGenerator<Proof> {
  yield soundness(reader);
  yield numbers(reader);
  yield delivery(reader);
  yield messages(reader);
  yield identities(reader, settings['state.path']);
  yield await files(reader, settings);
  if (content) yield await contentProof(reader, settings['watch.path']);
}

function soundness({ database }: LedgerReader): Proof {
  const [said] = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {});
  const loose = database.prepare('PRAGMA foreign_key_check').all().length;
  const ok = said === 'ok' && loose === 0;
  const wrong =
    said === 'ok'
      ? `${loose} rows belong to nothing: somebody else has written into it. Stop the agent and move ledger.sqlite away, or restore it: what has no record is then judged again`
      : `${said}. Restart the agent: it sets a damaged ledger aside`;
  return { what: 'ledger', ok, said: ok ? 'sound' : wrong };
}

function numbers(reader: LedgerReader): Proof {
  const missing = reader.database
    .prepare(
      `SELECT before + 1 AS first, seq - 1 AS last FROM
         (SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before FROM verdicts)
       WHERE seq > before + 1
         AND NOT EXISTS (SELECT 1 FROM gaps WHERE gaps.first <= before + 1 AND gaps.last >= seq - 1)`,
    )
    .all();
  const { n, captures } = reader.database
    .prepare('SELECT count(*) AS n, count(DISTINCT capture) AS captures FROM verdicts')
    .get() as { n: number; captures: number };
  const unjudged = count(
    reader,
    'SELECT count(*) AS n FROM captures WHERE capture NOT IN (SELECT capture FROM verdicts)',
  );
  // The first on what a file holds may follow one that said that it could not be read.
  const torn = count(
    reader,
    `SELECT count(*) AS n FROM
       (SELECT name, min(revision) AS first, count(*) <> max(revision) - min(revision) + 1 AS torn
        FROM verdicts JOIN captures USING (capture) GROUP BY capture) AS own
     WHERE torn OR first <> 1 AND NOT EXISTS (
       SELECT 1 FROM verdicts JOIN captures USING (capture)
       WHERE captures.name = own.name AND kind IN ('unreadable', 'dangling-link') AND revision = own.first - 1)`,
  );
  const passedOver = reader.database
    .prepare("SELECT first, last FROM gaps WHERE reason = 'ledger-rebuilt' ORDER BY first")
    .all()
    .map(({ first, last }) => `${first}-${last}`);
  const gone =
    passedOver.length === 0
      ? 'no number is missing'
      : `numbers ${some(passedOver)} went with an earlier ledger, and are announced`;
  if (missing.length + unjudged + torn === 0)
    return { what: 'records', ok: true, said: `${captures} captures, ${n} verdicts, ${gone}` };
  const ranges = missing
    .slice(0, TOLD)
    .map(({ first, last }) => (first === last ? first : `${first}-${last}`));
  const said = [
    ...(missing.length === 0 ? [] : [`numbers without a verdict or a gap: ${ranges.join(', ')}`]),
    ...(unjudged === 0 ? [] : [`${unjudged} captures without a verdict`]),
    ...(torn === 0 ? [] : [`${torn} captures of which a revision is missing`]),
  ];
  return { what: 'records', ok: false, said: said.join('; ') };
}

function delivery(reader: LedgerReader): Proof {
  const by = Object.fromEntries(
    reader.database
      .prepare(
        `SELECT CASE WHEN acknowledged_ms IS NOT NULL THEN iif(waits, 'both', 'acknowledged')
           WHEN waits THEN 'waiting' WHEN gone THEN 'dropped' ELSE 'lost' END AS state, count(*) AS n
         FROM (SELECT acknowledged_ms, EXISTS (SELECT 1 FROM outbox WHERE outbox.seq = verdicts.seq) AS waits,
           EXISTS (SELECT 1 FROM gaps WHERE verdicts.seq BETWEEN first AND last) AS gone FROM verdicts)
         GROUP BY state`,
      )
      .all()
      .map(({ state, n }) => [state as string, n as number]),
  );
  const { acknowledged = 0, waiting = 0, dropped = 0, both = 0, lost = 0 } = by;
  const told = `${acknowledged} acknowledged by the broker, ${waiting} waiting`;
  const gaps = dropped === 0 ? '' : `, ${dropped} dropped with an announced gap (outbox.bytes, outbox.age)`;
  if (both + lost === 0) return { what: 'delivery', ok: true, said: told + gaps };
  const wrong = `${lost} neither acknowledged nor waiting, ${both} acknowledged and waiting all the same`;
  return { what: 'delivery', ok: false, said: `${told}${gaps}; ${wrong}` };
}

/** What waits is what was recorded. */
function messages(reader: LedgerReader): Proof {
  const rows = reader.database.prepare(
    'SELECT seq, id, ref, word, payload FROM outbox JOIN verdicts USING (seq) LEFT JOIN payloads USING (seq)',
  );
  const wrong: unknown[] = [];
  let waiting = 0;
  for (const { seq, id, ref, word, payload } of rows.iterate()) {
    waiting++;
    const verdict = parsed(payload);
    const same =
      verdict?.seq === seq && verdict?.id === id && verdict?.image.ref === ref && verdict?.verdict === word;
    if (!same) wrong.push(seq);
  }
  const said =
    wrong.length === 0 ? `${waiting} wait, each as it was recorded` : `not as recorded: ${some(wrong)}`;
  return { what: 'messages', ok: wrong.length === 0, said };
}

/** Ids follow from captures and verdicts, so that a subscriber knows a repeat, even after the ledger was lost. */
function identities(reader: LedgerReader, stateFolder: string): Proof {
  if (!hasSiteKey(stateFolder))
    return { what: 'ids', ok: false, said: 'site.key is missing. Restore it from a backup' };
  const key = siteKey(stateFolder);
  const rows = reader.database.prepare(
    `SELECT seq, id, revision, word, reason, score, model, name, size, modified_ns, kind, frame, payload ->> '$.device' AS device
     FROM payloads JOIN verdicts USING (seq) JOIN captures USING (capture)`,
  );
  rows.setReadBigInts(true);
  const wrong: unknown[] = [];
  let checked = 0;
  for (const row of rows.iterate()) {
    checked++;
    const file: Capture = {
      name: row.name as string,
      size: Number(row.size),
      modifiedNanoseconds: row.modified_ns as bigint,
      kind: row.kind as Capture['kind'],
    };
    const capture = captureOfFrame(file, Number(row.frame));
    const said: Said = {
      revision: Number(row.revision),
      verdict: row.word as VerdictWord,
      reason: row.reason as string | null,
      score: row.score as number | null,
      model: row.model as string,
    };
    if (verdictId(key, row.device as string, capture, said) !== row.id) wrong.push(row.seq);
  }
  const said =
    wrong.length === 0
      ? `${checked} follow from their captures and verdicts`
      : `${wrong.length} of ${checked} do not follow from their captures and verdicts: numbers ${some(wrong)}. Either site.key is not the one that they were made with, or somebody has changed them`;
  return { what: 'ids', ok: wrong.length === 0, said };
}

async function files(reader: LedgerReader, settings: VerifySettings): Promise<Proof> {
  const folder = settings['watch.path'];
  const recorded = reader.database.prepare(
    `SELECT first.frames AS frames, count(*) AS judged
     FROM captures AS first JOIN captures AS own USING (name, size, modified_ns, kind)
     WHERE name = ? AND size = ? AND modified_ns = ? AND kind = ? AND first.frame = 1 AND own.frame <= first.frames`,
  );
  const settled = BigInt(Math.round((Date.now() - settings['watch.settle'] * 1000) * 1e6));
  const missing: string[] = [];
  let found = 0;
  let unsettled = 0;
  let [several, captures] = [0, 0];
  const unreachable = ledgerUnreachable(reader.database);
  const check = (capture: Capture) => {
    const { name, size, modifiedNanoseconds, kind } = capture;
    found++;
    if (unreachable.isJudged(capture)) return;
    const row = recorded.get(name, size, modifiedNanoseconds, kind);
    const { frames, judged } = row as { frames: number | null; judged: number };
    if (judged === frames) {
      if (frames > 1) [several, captures] = [several + 1, captures + frames];
      return;
    }
    if (modifiedNanoseconds > settled) unsettled++;
    else missing.push(name);
  };
  const swept = await sweep({
    folder,
    from: '',
    ignored: ignoreMatcher(settings['watch.ignore']),
    wantsFolder: isImageName,
    stopped: () => false,
    onFolder: () => {},
    depth: settings['limits.depth'],
    onTooDeep: (name) => check(tooDeep(name)),
    onName: async (name) => {
      const capture = await captureAt(folder, name);
      if (capture === null) return isFolder(pathTo(folder, name));
      check(capture);
      return false;
    },
  });
  const unreadable = swept.missing ?? swept.unreadable;
  if (unreadable !== null)
    return { what: 'folder', ok: false, said: `${folder} cannot be read as a whole (${unreadable})` };
  const young = unsettled === 0 ? '' : `, ${unsettled} just written`;
  const frames = several === 0 ? '' : `, ${several} of them one for each of their ${captures} frames`;
  if (missing.length === 0)
    return {
      what: 'folder',
      ok: true,
      said: `${found - unsettled} files, each has one record${frames}${young}`,
    };
  return {
    what: 'folder',
    ok: false,
    said: `${missing.length} of ${found} files lack a verdict${young}: ${some(missing)}. They wait for the agent: let it run, and verify again`,
  };
}

async function isFolder(file: string | Buffer): Promise<boolean> {
  return lstat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function count(reader: LedgerReader, sql: string): number {
  return (reader.database.prepare(sql).get() as { n: number }).n;
}

function parsed(payload: unknown): Verdict | null {
  try {
    return JSON.parse(String(payload)) as Verdict;
  } catch {
    return null;
  }
}
