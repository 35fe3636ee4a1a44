/** Text that the device burns into its pictures. */
import type { Metrics } from '../metrics.ts';
import { describeOverlay } from '../overlays/tell.ts';
import { type Html, html } from './html.ts';

export function overlayNotes({ overlays }: Metrics): Html | null {
  if (overlays.length === 0) return null;
  return html`${overlays.map((overlay) => html`<p class="aside">${describeOverlay(overlay)}</p>`)}`;
}
