/** Writes the published JSON Schemas and the settings reference: `npm run schemas`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { SETTINGS, type Setting } from './agent.ts';
import { manifest } from './bundle.ts';
import { EVIDENCE } from './evidence.ts';
import { recipe } from './recipe.ts';
import { settableRule } from './threshold.ts';
import { desired, gap, health, info, reported, state } from './topics.ts';
import { REASONS, verdict } from './verdict.ts';

const schemas = {
  manifest,
  verdict,
  state,
  info,
  health,
  gap,
  desired,
  reported,
  recipe,
  threshold: settableRule,
};

/** Every generated file: path from the repository root -> content. */
export function generated(): Map<string, string> {
  const files = new Map<string, string>();
  for (const [name, schema] of Object.entries(schemas)) {
    const io = name === 'recipe' || name === 'desired' || name === 'threshold' ? 'input' : 'output';
    const json = z.toJSONSchema(schema, { target: 'draft-2020-12', io });
    files.set(`config/schemas/${name}.schema.json`, `${JSON.stringify(json, null, 2)}\n`);
  }
  files.set('docs/settings.md', settingsReference());
  files.set('docs/evidence.md', evidenceReference());
  files.set('docs/reasons.md', reasonsReference());
  return files;
}

function settingsReference(): string {
  const rows = Object.entries(SETTINGS).map(([key, s]: [string, Setting]) => {
    const value = s.default === '' || s.default === null ? '' : `\`${JSON.stringify(s.default)}\``;
    const argument = s.argument === null ? '(secret: none)' : `\`--${s.argument}\``;
    return `| \`${key}\` | ${s.doc} | ${value} | ${s.unit ?? ''} | ${argument} | \`${s.environment}\` |`;
  });
  return `# Settings of the agent

Generated from \`config/agent.ts\` by \`npm run schemas\`; do not edit. Order of precedence: settings file (JSON or YAML,
\`--config FILE\`), then environment, then arguments. A key such as \`mqtt.url\` is \`url\` within \`mqtt\` in the file.
Unknown keys are refused.

| setting | meaning | default | unit | argument | environment |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}

function reasonsReference(): string {
  const rows = Object.entries(REASONS).map(([code, meaning]) => {
    const called = code === 'above-threshold' || code === 'below-threshold';
    return `| \`${code}\` | ${called ? '`review`' : '`unscorable`'} | ${meaning} |`;
  });
  return `# Reasons

Generated from \`config/verdict.ts\` by \`npm run schemas\`; do not edit. What a verdict says under \`reason\`: \`pass\` has
none, \`review\` says on which side of the threshold the score lies, and \`unscorable\` why there is no score. A capture that
cannot be scored is never a \`pass\`. A code never changes its meaning; new ones may be added. All limits are
[settings](settings.md); captures beyond \`limits.queue\` get no reason, for they are not refused: they stay in the folder and
are judged later.

| reason | verdict | meaning |
| --- | --- | --- |
${rows.join('\n')}
`;
}

function evidenceReference(): string {
  const rows = Object.entries(EVIDENCE).map(
    ([code, { meaning, sentence, advice }]) => `| \`${code}\` | ${meaning} | ${sentence} | ${advice} |`,
  );
  return `# Evidence

Generated from \`config/evidence.ts\` by \`npm run schemas\`; do not edit. What a verdict says under \`evidence\`, strongest
first: each entry has a \`code\`, its own \`p\` (how rare this alone is among good images) and a \`sentence\`. A code never
changes its meaning; new ones may be added. In a sentence, \`{good}\` is such as "299 of 300 good images", \`{value}\` what
was measured, \`{range}\` where good images lie, \`{place}\` one of nine regions, or nothing where there is no one place.

Evidence is told for every scored capture, called or not. The verdict does not follow from it: one in twenty good images
has a given p at or below 0.05, and with several quantities one or the other is rare more often.

| code | meaning | sentence | what to do |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

if (import.meta.main) {
  const root = new URL('..', import.meta.url);
  for (const folder of ['config/schemas', 'docs']) mkdirSync(new URL(folder, root), { recursive: true });
  for (const [path, content] of generated()) writeFileSync(new URL(path, root), content);
}
