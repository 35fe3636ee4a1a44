/** Text as HTML. */

/** A piece of HTML; whatever else stands in a template is text and is escaped. */
export interface Html {
  readonly html: string;
}

type Part = Html | string | number | null | readonly Part[];

/** Template tag: pieces of `Html` (and lists of them) go in as they are, text and numbers escaped, null as nothing. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: strings.reduce((text, piece, i) => text + render(parts[i - 1]!) + piece) };
}

/** HTML that was made elsewhere, such as a drawn chart. */
export const raw = (text: string): Html => ({ html: text });

function render(part: Part): string {
  if (part === null) return '';
  if (typeof part === 'string' || typeof part === 'number') return escaped(String(part));
  if ('html' in part) return part.html;
  return part.map(render).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A number and its percent sign stay on one line. */
const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => ENTITIES[c]!).replace(/(\d) %/g, '$1\u00a0%');
