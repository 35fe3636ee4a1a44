/** What does the agent say when something beside it fails, is anything lost, and does it go on by itself? */
import { spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Bench } from './bench.ts';
import { FAULTS, type Fault, missingFor } from './faults/cases.ts';
import { openScene } from './faults/scene.ts';

/** Captures before and during each fault. */
const CAPTURES = 4;
/** Seconds that the agent gets to say what is wrong, and to go on afterwards. */
const TO_SAY = 30;
const TO_GO_ON = 90;

export const faults: Bench = {
  name: 'faults',
  title:
    'full disk, lost folder, locked or damaged ledger and the like: what state says, whether anything is lost',
  async run({ report }) {
    const rows: (string | number)[][] = [];
    const said: string[] = [];
    let failed = false;
    for (const fault of FAULTS) {
      report(`${fault.name}\n`);
      const missing = missingFor(fault);
      if (missing !== null) {
        rows.push([fault.name, `skipped: ${missing}`, '', '', '', '', '']);
        continue;
      }
      const { alerts, lost, ids, seconds, ended } = await meet(fault);
      rows.push([
        fault.name,
        alerts.map(({ code }) => code).join(', ') || 'nothing',
        2 * CAPTURES,
        lost,
        ids,
        ended,
        seconds ?? 'not',
      ]);
      for (const { code, message } of alerts) said.push(`${code}: ${message}`);
      failed ||= lost > 0 || ids !== 2 * CAPTURES || ended > 0 || seconds === null;
    }
    return [
      {
        title: 'Faults beside the agent',
        columns: ['fault', 'state says', 'captures', 'lost', 'ids', 'ends of the agent', 'went on after s'],
        rows,
        notes: [
          `${CAPTURES} captures before and ${CAPTURES} during each fault. Lost: without a verdict at the subscriber ${TO_GO_ON} s after the fault is over. Ids: distinct ones; as many as captures is right.`,
          'Ends of the agent: that nobody asked for. Went on: seconds from the end of the fault until all verdicts were there and state said what it said before the fault; nothing else was done.',
          ...new Set(said),
        ],
        failed,
      },
    ];
  },
};

async function meet(fault: Fault) {
  const scene = await openScene(fault.scene);
  try {
    const usual = () => scene.said()?.state === 'ready' || scene.said()?.state === 'alert';
    if (!(await scene.within(60, usual)))
      throw new Error(`The agent does not start: ${scene.agent.output()}`);
    await scene.drop(CAPTURES);
    await scene.within(TO_GO_ON, () => scene.verdicts().refs === CAPTURES);
    let ended = 0;
    const mend = await fault.breakIt(scene);
    const { agent } = scene;
    let mending = false;
    void agent.ended.then(() => {
      if (!mending) ended++;
    });
    await scene.drop(CAPTURES, fault.meanwhile?.(scene));
    await scene.within(TO_SAY, () => (scene.said()?.alerts.length ?? 0) > 0);
    const alerts = scene.said()?.alerts ?? [];
    const lasting = alerts.filter(({ code }) => code === 'ledger-rebuilt').map(({ code }) => code);
    mending = true;
    await mend();
    const start = performance.now();
    const wentOn = await scene.within(
      TO_GO_ON,
      () =>
        scene.verdicts().refs === 2 * CAPTURES &&
        (scene.said()?.alerts ?? []).every(({ code }) => lasting.includes(code)),
    );
    const seconds = wentOn ? (performance.now() - start) / 1000 : null;
    const { ids, refs } = scene.verdicts();
    return { alerts, lost: 2 * CAPTURES - refs, ids, seconds, ended };
  } finally {
    await scene.close();
    for (const mounted of [scene.watch, `${scene.watch}.share`, scene.state])
      spawnSync('umount', ['-q', mounted], { stdio: 'ignore' });
    await rm(path.dirname(scene.watch), { recursive: true, force: true });
  }
}
