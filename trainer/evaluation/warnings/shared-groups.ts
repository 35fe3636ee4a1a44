import type { Warning } from '../types.ts';
import { count, percent, type WarningInput } from './input.ts';

/** The same patient, or whatever makes a group, on both sides. */
export function sharedGroups({ images, reference }: WarningInput): Warning | null {
  if (reference === null) return null;
  const known = new Set([...reference.train, ...reference.calibration].flatMap(({ group }) => group ?? []));
  const shared = images.filter(({ group }) => group !== null && known.has(group));
  if (shared.length === 0) return null;
  const groups = new Set(shared.map(({ group }) => group)).size;
  return {
    code: 'shared-groups',
    severity: 'serious',
    message: `${count(groups, 'group')} (such as patients) of the test also gave images for training or calibration: ${count(shared.length, 'test image')}, ${percent(shared.length / images.length)}, among them ${shared[0]!.name}.`,
    advice:
      'Leave these groups out of the test: what is known of them makes the figures look better than they are.',
    figures: { groups, images: shared.length, example: shared[0]!.name },
  };
}
