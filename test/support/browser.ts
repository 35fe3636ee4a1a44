/** A headless Chromium for tests of pages, where one is installed. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { type Browser, launch } from 'puppeteer-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** Why a test is skipped when `findChromium` gives null. */
export const NO_CHROMIUM = `No Chromium found (${NAMES.join(', ')} on PATH, or its file in CHROMIUM).`;

/** The executable: CHROMIUM, or the first known name on PATH; null when there is none. */
export async function findChromium(): Promise<string | null> {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const files = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  for (const file of process.env.CHROMIUM ? [process.env.CHROMIUM] : files)
    if (
      await access(file).then(
        () => true,
        () => false,
      )
    )
      return file;
  return null;
}

export const openBrowser = (executablePath: string): Promise<Browser> =>
  launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu'] });
