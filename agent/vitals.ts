/** What the watchdog looks at. A full disk, a missing folder, a bundle that does not load: no restart mends those. */
import type { AgentSettings } from '../config/agent.ts';
import type { Conditions } from './conditions.ts';
import type { Vital } from './control/watchdog.ts';
import type { DiskProbe } from './disk.ts';
import type { Ingest } from './ingest/ingest.ts';
import type { Pipeline } from './pipeline.ts';

/** Milliseconds that one reading of the whole folder may take. */
const SWEEP_ALLOWANCE = 600_000;
/** Milliseconds that replacing scoring processes may add to two tries at one capture. */
const RESPAWN_ALLOWANCE = 60_000;
/** Milliseconds that the file system may take to say how much space it has. */
const DISK_ALLOWANCE = 60_000;

export function vitalsOf(
  settings: AgentSettings,
  parts: {
    readonly ingest: Ingest;
    readonly pipeline: Pipeline;
    readonly disk: DiskProbe;
    readonly conditions: Conditions;
  },
): Vital[] {
  const twoTries = 2 * settings['limits.scoring'] * 1000;
  const inspecting = parts.conditions.has('scorer-failing') ? null : parts.pipeline.inspecting;
  return [
    { part: 'scan', busy: parts.ingest.sweeping, allowed: SWEEP_ALLOWANCE },
    { part: 'scorer', busy: inspecting, allowed: twoTries + RESPAWN_ALLOWANCE },
    { part: 'disk', busy: parts.disk.asking, allowed: DISK_ALLOWANCE },
  ];
}
