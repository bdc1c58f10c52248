import { COLOURS } from "./palette.ts";

const BARS = Object.entries(COLOURS)
  .map(([name, value]) => `.c-${name}{fill:${value}}`)
  .join("\n");

/** The only style sheet of the page. */
export const STYLE = `
:root{color-scheme:light dark;--page:#fff;--text:#1b1f24;--faint:#5c6670;--line:#d4d9de;--lane:#f4f6f8;--odd:#fff;
--good:#0b6e4f;--bad:#b3320b;--down:#4a525a;--fault:#b3320b;--action:#0b5fa5;--boot:#3d454d}
@media (prefers-color-scheme:dark){:root{--page:#14181c;--text:#e6e9ec;--faint:#9ba5af;--line:#363e46;--lane:#1c2127;
--odd:#14181c;--good:#5fd0a8;--bad:#ff8a5c;--down:#707a84;--fault:#ff8a5c;--action:#6cb8f5;--boot:#c3cad1}}
body{margin:0 auto;max-width:1180px;padding:1rem;background:var(--page);color:var(--text);font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.4rem;margin:.2rem 0}
h2{font-size:1.15rem;margin:0}
section{border-top:1px solid var(--line);margin-top:1.6rem;padding-top:1rem}
p{margin:.3rem 0}
a{color:inherit}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
td.time{white-space:nowrap;font-variant-numeric:tabular-nums;overflow-wrap:normal}
th{font-weight:600;color:var(--faint)}
.good{color:var(--good)}
.bad{color:var(--bad)}
.sign{white-space:nowrap;font-weight:600}
.faint{color:var(--faint)}
.scroll{overflow-x:auto;margin:.6rem 0}
.picture{display:block;width:100%;min-width:760px;font:11px system-ui,sans-serif}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;margin:0;padding:0;font-size:.85rem;color:var(--faint)}
.sample{vertical-align:-3px;margin-right:.3rem}
summary{cursor:pointer;margin:.4rem 0}
svg text{fill:var(--text)}
svg text.faint,svg text.axis{fill:var(--faint)}
svg text.name{font-weight:600}
svg text.note{fill:var(--bad);font-weight:600;stroke:var(--page);stroke-width:3;paint-order:stroke}
svg text.on-bar{fill:#101418}
svg text.on-dark{fill:#fff}
.lane{fill:var(--lane)}
.odd{fill:var(--odd)}
.grid{stroke:var(--line)}
.base,.edge{stroke:var(--faint);fill:none}
.gap{fill:var(--page)}
.contact{stroke:var(--faint)}
.failure{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:4 2}
.c-down{fill:var(--down)}
.m-fault{fill:none;stroke:var(--fault);stroke-width:1.8}
.m-power{fill:var(--fault)}
.m-boot{fill:var(--boot)}
.m-runs{fill:var(--good)}
.m-action{fill:var(--action)}
.m-failure{fill:var(--bad)}
${BARS}
`;
