/** placeholder */
import type { Metrics } from '../metrics.ts';
import type { PictureGroup } from './pictures.ts';
export function renderReport(metrics: Metrics, pictures: readonly PictureGroup[]): string {
  return JSON.stringify({ metrics, pictures });
}
