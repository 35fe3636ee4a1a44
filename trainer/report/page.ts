/** The frame of every page that the trainer writes. No script, nothing fetched. */
import { type Html, html, raw } from './html.ts';
import { STYLE } from './style.ts';

export interface Page {
  readonly title: string;
  /** What kind of page it is, above the headline. */
  readonly kind: Html;
  readonly headline: string;
  /** Under the headline. */
  readonly lead: Html;
  readonly body: Html;
  readonly footer: string;
}

export function page({ title, kind, headline, lead, body, footer }: Page): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<header>
<p class="kind">${MARK}<span>${kind}</span></p>
<h1>${headline}</h1>
${lead}
</header>
<main>
${body}
</main>
<footer><p>${footer}</p></footer>
</body>
</html>
`.html;
}

/** A plumb line. */
const MARK = raw(
  '<svg width="18" height="30" viewBox="0 0 18 30" aria-hidden="true"><path d="M3 1h12M9 1v16" stroke="currentColor" stroke-width="1.6" fill="none" stroke-linecap="round"/><path d="M4.5 17h9L9 29z" fill="currentColor"/></svg>',
);
