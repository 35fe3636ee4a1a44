/** Writes docs/converter.md: `node convert/generate.ts`. */
import { writeFile } from 'node:fs/promises';
import { converterPage } from './page.ts';

await writeFile(new URL('../docs/converter.md', import.meta.url), converterPage());
