/**
 * A chart as SVG, drawn when the page is written: by Observable Plot, because it needs no browser (any document will
 * do; linkedom's here), makes axes and scales that need no tuning, and leaves no script in the page.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { type Html, html, raw } from './html.ts';

/** Each is drawn twice, for wide and narrow screens: letters keep their size. In pixels. */
const WIDTHS = { full: { wide: 960, narrow: 350 }, half: { wide: 470, narrow: 350 } } as const;

export interface Chart {
  /** What the chart shows, in words, for those who do not see it. */
  readonly label: string;
  readonly caption: Html;
  /** `half`: two stand side by side where there is room. Default: `full`. */
  readonly size?: keyof typeof WIDTHS;
  readonly draw: (narrow: boolean) => Plot.PlotOptions;
}

export function chart({ label, caption, size = 'full', draw }: Chart): Html {
  const drawn = (width: 'wide' | 'narrow') => {
    const { document } = parseHTML('<html><body></body></html>');
    const svg = Plot.plot({
      width: WIDTHS[size][width],
      marginLeft: 48,
      marginRight: 14,
      ...draw(width === 'narrow'),
      document,
      style: { fontSize: '12.5px', color: 'var(--ink)', background: 'none', fontFamily: 'inherit' },
      ariaLabel: label,
    });
    // The chart is one picture with one description: Plot's labels of its parts are not valid on plain groups.
    for (const part of svg.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
    svg.setAttribute('role', 'img');
    svg.classList.add(width);
    return raw(svg.outerHTML);
  };
  return html`<figure class="chart ${size}">${drawn('wide')}${drawn('narrow')}<figcaption>${caption}</figcaption></figure>`;
}

/** A word in the colour of its line, for captions that serve as legend. */
export const legend = (text: string, color: string): Html =>
  html`<b class="legend" style="--line-color:${color}">${text}</b>`;
