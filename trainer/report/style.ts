/** The report's style: quiet, light and dark, on paper, from 320 pixels up. No font or image from elsewhere. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #faf9f6; --card: #ffffff; --ink: #1c2226; --muted: #59646c; --line: #e2dfd7; --faint: #f1efe9;
  --good: #1b6b75; --poor: #b3500f; --mark: #3b4a54; --yes: #1e6b3a; --no: #a3261d; --unknown: #7a5a05;
  --no-tint: #fdf0ee; --unknown-tint: #fbf5e4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #13171a; --card: #1a1f23; --ink: #e9e7e2; --muted: #9da8b0; --line: #2e353a; --faint: #20262a;
    --good: #66bcc4; --poor: #eb9a5e; --mark: #b9c4cb; --yes: #79c795; --no: #f08c82; --unknown: #dfb75a;
    --no-tint: #2a1a19; --unknown-tint: #272114;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; overflow-wrap: break-word; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header, footer { max-width: 1040px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
.kind { display: flex; align-items: center; gap: 10px; color: var(--muted); margin: 0 0 28px; font-size: 15px; }
.kind svg { flex: none; }
h1 { font-size: clamp(26px, 4.6vw, 38px); line-height: 1.2; letter-spacing: -0.015em; font-weight: 650; margin: 0 0 18px;
  max-width: 24em; text-wrap: balance; }
h2 { font-size: 22px; line-height: 1.3; letter-spacing: -0.01em; font-weight: 620; margin: 0 0 6px; }
h3 { font-size: 15px; font-weight: 600; margin: 26px 0 10px; }
p { margin: 0 0 12px; max-width: 68ch; }
.answer { border-left: 4px solid var(--tone); padding: 2px 0 2px 20px; }
.answer p { font-size: 17.5px; margin-bottom: 8px; }
.answer p:last-child { margin-bottom: 0; }
.yes { --tone: var(--yes); } .no { --tone: var(--no); } .weak, .unknown { --tone: var(--unknown); }
.note { color: var(--muted); font-size: 15px; }
section { margin-top: 56px; }
.first { margin-top: 0; }
.warnings { margin-top: 32px; border: 2px solid var(--tone); border-radius: 10px; background: var(--tint); padding: 18px 22px; }
.warnings.serious, .warnings .serious { --tone: var(--no); --tint: var(--no-tint); }
.warnings.notable, .warnings .notable { --tone: var(--unknown); --tint: var(--unknown-tint); }
.warnings h2 { color: var(--tone); }
.warnings > ul { list-style: none; margin: 10px 0 0; padding: 0; }
.warnings > ul > li { border-top: 1px solid var(--line); padding: 12px 0; }
.warnings > ul > li:last-child { padding-bottom: 0; }
.warnings li p { margin: 0; max-width: 80ch; overflow-wrap: anywhere; }
.warnings li p + p { margin-top: 4px; }
.badge { display: inline-block; border: 1px solid var(--tone); color: var(--tone); border-radius: 5px; font-size: 12.5px; font-weight: 600;
  line-height: 1.5; padding: 0 7px; margin-right: 4px; }
.calm { margin-top: 28px; } .calm > p { color: var(--muted); }
.unchecked { margin-top: 12px; border-top: 1px solid var(--line); padding-top: 12px; font-size: 15px; }
.unchecked p { margin: 0; } .unchecked ul { margin: 4px 0 0; padding-left: 20px; overflow-wrap: anywhere; }
.aside { border-left: 4px solid var(--unknown); padding-left: 20px; margin-top: 28px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 14px; margin: 32px 0 0; padding: 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; }
.tiles dt { color: var(--muted); font-size: 14px; line-height: 1.35; min-height: 2.7em; display: flex; align-items: flex-end; }
.tiles dd { margin: 0; font-size: 27px; font-weight: 600; letter-spacing: -0.01em; font-variant-numeric: tabular-nums; }
.tiles dd + dd { font-size: 14px; font-weight: 400; letter-spacing: 0; color: var(--muted); }
figure { margin: 20px 0 0; }
figcaption, caption { color: var(--muted); font-size: 14px; line-height: 1.45; text-align: left; }
.chart svg { display: block; width: 100%; height: auto; overflow: visible; }
.chart .narrow { display: none; }
.chart.half { max-width: 480px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 12px 40px; align-items: start; }
.legend { color: var(--line-color); }
.chart figcaption { margin-top: 8px; max-width: 76ch; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); gap: 16px; }
.card { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px; break-inside: avoid; }
.strip { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 6px; }
.strip img { display: block; width: 100%; height: auto; border-radius: 4px; background: #000; }
.strip.small img { image-rendering: pixelated; }
.card figcaption { margin-top: 8px; display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 10px;
  font-variant-numeric: tabular-nums; }
.card .file, .card small { flex-basis: 100%; overflow-wrap: anywhere; } .card small { font-size: 13px; margin-top: 4px; }
.verdict { font-weight: 600; } .verdict.pass { color: var(--good); } .verdict.review { color: var(--poor); }
.scale { display: flex; align-items: center; gap: 10px; color: var(--muted); font-size: 14px; margin: 14px 0 8px; flex-wrap: wrap; }
.scale i { width: 180px; height: 10px; border-radius: 5px; display: block;
  background: linear-gradient(90deg, #000004, #1f0c48, #550f6d, #88226a, #ba3655, #e35933, #f98c0a, #f9c932, #fcffa4); }
.charts + .columns { margin-top: 36px; } .columns + table { margin-top: 40px; } table + .note { margin-top: 20px; } table + table { margin-top: 40px; } .charts > table { margin-top: 32px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 12px 40px; align-items: start; }
table { border-collapse: collapse; width: 100%; margin: 20px 0 0; font-size: 15px; font-variant-numeric: tabular-nums; }
caption { padding-bottom: 8px; }
th, td { text-align: left; vertical-align: top; padding: 8px 14px 8px 0; border-top: 1px solid var(--line); font-weight: 400; }
th, caption, figcaption, h1 { overflow-wrap: anywhere; }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-top: 0; color: var(--muted); font-size: 14px; padding-top: 0; vertical-align: bottom; }
td.number, th.number { text-align: right; white-space: nowrap; overflow-wrap: normal; }
td.number small { white-space: normal; }
td small, th small { color: var(--muted); font-size: 13px; display: block; }
.facts { display: grid; grid-template-columns: fit-content(260px) minmax(0, 1fr); gap: 8px 24px; margin: 20px 0 0; font-size: 15px; }
.facts dt { color: var(--muted); overflow-wrap: anywhere; } .facts dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font: 13.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--faint); border-radius: 8px; padding: 14px 16px; white-space: pre-wrap; overflow-wrap: anywhere; margin: 12px 0 0; }
details { margin-top: 18px; border-top: 1px solid var(--line); padding-top: 12px; }
summary { cursor: pointer; font-weight: 600; font-size: 15px; }
summary:focus-visible { outline: 2px solid var(--good); outline-offset: 4px; border-radius: 2px; }
footer { color: var(--muted); font-size: 14px; margin-top: 64px; padding-bottom: 48px; }
footer p { border-top: 1px solid var(--line); padding-top: 16px; max-width: none; }
@media (max-width: 760px) {
  .chart .wide { display: none; } .chart .narrow { display: block; max-width: 520px; }
}
@media (max-width: 600px) {
  main, header, footer { padding-left: 16px; padding-right: 16px; }
  header { padding-top: 24px; } .kind { margin-bottom: 20px; }
  .answer { padding-left: 14px; } .answer p { font-size: 16.5px; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 10px; } .tiles div { padding: 12px 14px; } .tiles dd { font-size: 22px; }
  .tiles dd + dd { font-size: 13px; }
  .scale i { width: 110px; }
  .facts { grid-template-columns: minmax(0, 1fr); gap: 0; } .facts dd { margin-bottom: 10px; }
  section { margin-top: 44px; } th, td { padding-right: 8px; } table { font-size: 14px; }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --muted: #444; --line: #ccc; --faint: #f4f4f4;
    --good: #1b6b75; --poor: #b3500f; --mark: #333; --yes: #1e6b3a; --no: #a3261d; --unknown: #7a5a05; --no-tint: #fdf0ee; --unknown-tint: #fbf5e4;
    color-scheme: light; }
  .warnings li, .calm { break-inside: avoid; } .charts { grid-template-columns: 1fr 1fr; }
  main, header, footer { max-width: none; padding: 0; }
  .chart.full .wide { display: block; } .chart.full .narrow { display: none; }
  .cards { grid-template-columns: repeat(3, 1fr); gap: 8px; } .tiles { grid-template-columns: repeat(4, 1fr); gap: 8px; }
  .card figcaption, .card small { font-size: 8pt; } .tiles dd { font-size: 16pt; }
  body { font-size: 11pt; } section { margin-top: 28pt; } h1 { font-size: 20pt; }
  h2, h3, caption { break-after: avoid; } figure, tr, .tiles div { break-inside: avoid; }
  details::details-content { display: block; content-visibility: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
