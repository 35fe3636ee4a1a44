import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { converterPage } from '../../convert/page.ts';

test('docs/converter.md is current; `npm run converter-page` writes it', async () => {
  const file = new URL('../../docs/converter.md', import.meta.url);
  assert.equal(await readFile(file, 'utf8'), converterPage());
});
