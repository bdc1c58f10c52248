import { createHash } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { htmlText, parseScenario, type RunResult } from "../../../../../mock-server/scenarios/index.ts";
import type { RunEvent } from "../../../../../mock-server/scenarios/run/events.ts";
import { runSimulated } from "../../../../../mock-server/scenarios/run/run.ts";

const TEXT = `
scenario: Power goes <script>alert(1)</script> & "so"
why: To see <b>how</b> it is drawn.
fleet: [{ name: d, count: 2, module: { reboot: automatic } }]
releases: [{ name: v2 }]
deployments: [{ name: first, release: v2, to: [d1] }]
faults:
  - { answer: { status: 503 }, to: poll, count: 1, devices: [d1] }
  - { power_cut: { during: ArtifactInstall } }
ends: { after: 6h }
expect:
  - { device: d1, status: failure }
  - { device: d1, runs: v2 }
  - { device: d2, runs: v1, counts: { polls: { at_most: 1 } } }
`;

let result: RunResult;
let page: string;
beforeAll(async () => {
  const { trace: _, ...run } = await runSimulated(parseScenario(TEXT, "s.yaml"), {
    readArtifact: () => Promise.reject(new Error("no artifact is read")),
  });
  result = { ...run, file: "<s>.yaml", tookMs: 12 };
  page = htmlText([result]);
});

const picture = (html: string): string => /<svg class="picture"[\s\S]*?\n<\/svg>/.exec(html)?.[0] ?? "";

test("every verdict is there, with what was expected and what came", () => {
  expect(result.verdicts).toHaveLength(4);
  const rows = page.match(/<tr><td>\d+<\/td>.*<\/tr>/g) ?? [];
  expect(rows).toHaveLength(4);
  expect(rows[0]).toContain("✔ passed</td><td>d1 ends with failure</td><td>failure</td>");
  expect(rows[1]).toContain("✘ failed</td><td>d1 runs v2 at the end</td><td>v1<br>");
  expect(rows[1]).toContain("d1, 6h (2026-01-01 06:00:00)");
  expect(rows[3]).toMatch(/✘ failed<\/td><td>d2: polls: at most 1<\/td><td>\d+<br>/);
});

test("the picture has a lane for the server and each device, bars, faults, power cuts and boots", () => {
  const svg = picture(page);
  expect(svg.match(/<text class="name"/g)).toHaveLength(3);
  expect(svg).toMatch(/<rect class="c-bad"[^>]*><title>first: failure, /);
  expect(svg).toMatch(/<rect class="c-down"[^>]*><title>power cut, /);
  expect(svg).toContain('class="m-power"');
  expect(svg).toContain('class="m-boot"');
  expect(svg).toMatch(/<g><title>0s: poll: answered 503<|<g><title>[^<]*fault: answer/);
  expect(svg).toContain('<text class="axis break"');
  expect(svg).toContain(">00:00:00</text>");
  expect(svg).toContain(">06:00:00</text>");
});

test("points of failure stand in the lane of their device, with what was expected, and in the description", () => {
  const svg = picture(page);
  expect(svg).toContain(">2: expected d1 runs v2 at the end</text>");
  expect(svg.match(/class="m-failure"/g)).toHaveLength(2);
  expect(svg).toMatch(/aria-labelledby="s1-title s1-desc"/);
  expect(svg).toMatch(/<desc id="s1-desc">.*2: expected d1 runs v2 at the end, got v1 \(at 6h\)/);
});

test("what is as expected has no point of failure", () => {
  const passed = htmlText([{ ...result, outcome: "passed", verdicts: result.verdicts.filter(({ met }) => met) }]);
  expect(passed).not.toContain('m-failure"');
  expect(passed).toContain("1 of 1 scenarios went as expected");
});

test("hostile names are text: in the page, in the picture and in the table", () => {
  const hostile = "d1\"><img src=x onerror=alert(1)>'\u202e";
  const renamed = {
    ...result,
    software: new Map([[hostile, "v1"]]),
    verdicts: [{ expected: hostile, met: false, got: "</svg><script>", atMs: 5, device: hostile }],
    notes: ["<i>note"],
    events: [
      ...result.events.map((event) => ("device" in event ? { ...event, device: hostile } : event)),
      { kind: "down", atMs: 9, device: hostile, why: "</title><script>alert(2)</script>" },
      { kind: "deployment", atMs: 9, deployment: "</text>&", status: "inprogress" },
    ] as RunEvent[],
  };
  const html = htmlText([renamed, result]);
  expect(html).not.toMatch(/<(script|img|b|i|s)[\s>]/);
  expect(html).not.toContain("\u202e");
  expect(html).toContain("&lt;/title&gt;&lt;script&gt;alert(2)");
  // Every element that is opened is closed again.
  for (const tag of ["svg", "title", "text", "table", "td", "section", "g"])
    expect(html.match(new RegExp(`<${tag}[ >]`, "g"))).toHaveLength(
      html.match(new RegExp(`</${tag}>`, "g"))?.length ?? 0,
    );
});

test("the page loads nothing, runs nothing, and only its own style sheet counts", () => {
  const [, policy = ""] = /<meta http-equiv="Content-Security-Policy" content="([^"]*)">/.exec(page) ?? [];
  const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(page) ?? [];
  const hash = createHash("sha256").update(style).digest("base64");
  expect(policy).toBe(`default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`);
  expect(page).not.toMatch(/ style=| on[a-z]+=|https?:|url\(|@import|<link/);
  expect(style).toContain("prefers-color-scheme:dark");
});

test("the same runs are the same page, and several have an index, those that failed first", () => {
  expect(htmlText([result])).toBe(page);
  expect(page).not.toContain("<nav");
  const both = htmlText([{ ...result, file: "good.yaml", outcome: "passed", verdicts: [] }, result]);
  const nav = /<nav[\s\S]*<\/nav>/.exec(both)?.[0] ?? "";
  expect(nav.indexOf('href="#s2"')).toBeGreaterThan(0);
  expect(nav.indexOf('href="#s2"')).toBeLessThan(nav.indexOf('href="#s1"'));
  expect(nav).toContain("2 of 4 not as expected");
  expect(both).toContain('<section id="s2"');
});

test("of a large fleet the first devices are drawn and those that failed, the rest is a sentence", () => {
  const names = Array.from({ length: 1000 }, (_, index) => `d${index + 1}`);
  const events = names.flatMap((device, index): RunEvent[] => [
    { kind: "status", atMs: index, device, deployment: "first", status: "downloading" },
    { kind: "status", atMs: 5000 + index, device, deployment: "first", status: index === 899 ? "failure" : "success" },
    ...Array.from(
      { length: 50 },
      (_, poll): RunEvent => ({
        kind: "exchange",
        atMs: 6000 + poll * 60_000,
        device,
        request: "poll",
        status: 500 + (poll % 4),
      }),
    ),
  ]);
  const verdicts = [{ expected: "d800 runs v2", met: false, got: "v1", atMs: 9000, device: "d800" }];
  const html = htmlText([{ ...result, verdicts, events, software: new Map(names.map((name) => [name, "v2"])) }]);
  const drawn = [...picture(html).matchAll(/<text class="name"[^>]*><title>([^<]*)</g)].map(([, name]) => name);
  expect(drawn).toEqual(["server", ...names.slice(0, 50), "d800", "d900"]);
  expect(html).toContain(
    "52 devices are drawn: the first of the fleet, and those that failed. 948 more are not; none of them failed.",
  );
  expect(html).toContain("more events are left out here");
  expect(html.length).toBeLessThan(1_500_000);
});

test("a scenario that was not run says why, without a picture", () => {
  const html = htmlText([{ ...result, verdicts: [], events: [], notes: ["not possible here: disk_full: no disk"] }]);
  expect(html).toContain("not possible here: disk_full: no disk");
  expect(html).not.toContain("<svg");
  expect(html).toContain("✘ failed");
});
