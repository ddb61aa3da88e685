"""The page's appearance: system fonts, light and dark, screen and paper, wide and narrow."""

STYLE = """
:root { color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d2126; --soft: #5b636d; --rule: #dfdcd6;
  --before: #7a828c; --unknown: #0b7a75; --known: #b3470b; --wash: #f1eee8; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171a; --card: #1c2024; --ink: #e9e7e3; --soft: #a2a9b1; --rule: #343a40;
  --before: #8d959e; --unknown: #45c4bb; --known: #f08a4b; --wash: #24292e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: clamp(1.45rem, 3.4vw, 2.1rem); line-height: 1.25; letter-spacing: -0.01em;
  margin: 4px 0 16px; max-width: 34em; text-wrap: balance; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 56px 0 12px; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: 0 0 12px; max-width: 44em; text-wrap: pretty; }
.kicker, .note, figcaption, .fine { color: var(--soft); }
.kicker { margin: 0; font-size: .9rem; }
.note, .fine, figcaption { font-size: .875rem; }
a { color: inherit; }
.facts { display: flex; flex-wrap: wrap; gap: 16px 40px; margin: 28px 0 0; padding: 20px 0;
  border: solid var(--rule); border-width: 1px 0; }
.facts dt { color: var(--soft); font-size: .875rem; }
.facts dd { margin: 0; font-size: 1.2rem; font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 24px; }
figure { margin: 0; min-width: 0; }
.charts figure { max-width: 440px; }
.charts svg { display: block; width: 100%; height: auto; margin: 8px 0 4px; }
svg text { font-size: 12px; fill: var(--soft); }
svg text.threshold { fill: var(--ink); font-weight: 600; }
.grid { stroke: var(--rule); }
line.known, line.unknown { stroke-width: 1.3; }
line.known { stroke: var(--known); } line.unknown { stroke: var(--unknown); }
.threshold { stroke-width: 1.5; stroke-dasharray: 5 4; } line.threshold { stroke: var(--ink); }
circle.before { fill: var(--before); }
circle.unknown { fill: var(--unknown); } polygon.known { fill: var(--known); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; list-style: none; margin: 0 0 16px;
  padding: 0; font-size: .875rem; color: var(--soft); }
.legend svg { width: 12px; height: 12px; margin-right: 6px; vertical-align: -1px; }
.wide { overflow-x: auto; margin: 0 0 12px; }
.wide:focus-visible { outline: 2px solid var(--unknown); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: 7px 10px; border-bottom: 1px solid var(--rule); text-align: right;
  vertical-align: baseline; white-space: nowrap; }
th { font-weight: 600; } thead th { color: var(--soft); font-weight: 500; }
th[scope=row], thead tr:first-child th:first-child, .texts td, .texts th { text-align: left; }
th[scope=colgroup] { text-align: center; }
.rates th[scope=colgroup], .rates .first { border-left: 1px solid var(--rule); }
.rates td.after { font-weight: 600; }
.badge { display: inline-block; margin-left: 8px; padding: 0 7px; border-radius: 9px;
  background: var(--wash); color: var(--soft); font-size: .75rem; font-weight: 500; }
.texts td, .texts th { white-space: normal; overflow-wrap: anywhere; }
.texts th { font-weight: 500; color: var(--soft); } .texts th:first-child { width: 17em; }
.limits, .warning { background: var(--wash); border-radius: 10px; padding: 20px 24px; }
.limits { margin-top: 56px; } .limits h2 { margin-top: 0; }
.limits p { margin: 0; max-width: 54em; }
.warning { margin: 20px 0 0; padding: 12px 24px; border-left: 4px solid var(--known); }
.warning p { margin: 0; }
.face { display: grid; grid-template-columns: minmax(0, 1.25fr) minmax(300px, 1fr); gap: 8px 28px;
  padding: 20px 0; border-top: 1px solid var(--rule); break-inside: avoid; align-items: start; }
.face header { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0 16px;
  align-items: baseline; }
.pictures { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8px; }
.pictures img { display: block; width: 100%; height: auto; border-radius: 6px;
  background: var(--wash); }
.pictures figcaption { font-size: .8rem; margin-top: 2px; }
.face table { font-size: .85rem; } .face th, .face td { padding: 4px 6px; }
.face thead th { white-space: normal; vertical-align: bottom; line-height: 1.25; }
.face th:first-child { padding-left: 0; } .face td:last-child { padding-right: 0; }
.target { display: flex; gap: 10px; align-items: center; margin-top: 10px; font-size: .85rem;
  overflow-wrap: anywhere; }
.target img { width: 48px; height: 48px; object-fit: cover; border-radius: 6px; flex: none; }
.known-after { color: var(--known); font-weight: 600; }
.unknown-after { color: var(--unknown); font-weight: 600; }
@media (max-width: 720px) {
  main { padding: 24px 16px 48px; } h2 { margin-top: 40px; }
  .face { grid-template-columns: minmax(0, 1fr); } .facts { gap: 12px 28px; }
  .texts th:first-child { width: 45%; } .limits, .warning { padding: 16px; } }
@media print { :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000;
  --soft: #444; --rule: #bbb; --before: #777; --unknown: #0b7a75; --known: #b3470b;
  --wash: #f3f3f3; }
  @page { margin: 14mm; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; } h2 { margin-top: 28px; }
  .charts { grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 12px; }
  .wide { overflow: visible; } .rates { font-size: .8rem; } .rates th, .rates td { padding: 4px; }
  .badge { margin-left: 3px; padding: 0 4px; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .face { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 4px 16px; padding: 12px 0; }
  .face table { font-size: .75rem; } .face th, .face td { padding: 3px 4px; }
  h2 { break-after: avoid; } .charts figure, .limits { break-inside: avoid; } }
"""
