import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseCases } from "../../../../mock-server/scenarios/index.ts";
import { runSimulated } from "../../../../mock-server/scenarios/run/run.ts";
import { LIBRARY, readArtifact } from "../../../scenarios/library.ts";

/** A scenario with one change, and what has to be found wrong then. */
interface Change {
  readonly scenario: string;
  readonly replace: string;
  readonly by: string;
  readonly found: RegExp;
}

const CHANGES: readonly Change[] = [
  {
    scenario: "15-language/state-paused",
    replace: "devices: [d1]",
    by: "devices: [d3]",
    found: /first is paused at the end: finished$/,
  },
  {
    scenario: "15-language/nth",
    replace: "retries: 2",
    by: "retries: 1",
    found: /ArtifactInstall for the 3rd time.*happened 2 times/,
  },
  {
    scenario: "15-language/nth",
    replace: "retries: 2",
    by: "retries: 3",
    found: /never: d enters ArtifactInstall for the 4th time/,
  },
  {
    scenario: "15-language/each-device",
    replace: "do: { power_cut: each }",
    by: "do: { power_cut: press1 }",
    found: /press2 boots for the 2nd time.*happened once/,
  },
  {
    scenario: "15-language/each-device",
    replace: "devices: [site]",
    by: "devices: [spare]",
    found: /spare reports success before 1m/,
  },
  {
    scenario: "15-language/fault-of-a-release",
    replace: "ArtifactInstall, release: v2",
    by: "ArtifactInstall, release: v3",
    found: /d reports failure \(of first\)/,
  },
  {
    scenario: "15-language/fault-of-a-release",
    replace: "runs: v3, count",
    by: "runs: v1, count",
    found: /never before 6h.*boots/,
  },
  {
    scenario: "15-language/fault-after-an-event",
    replace: "nth: 2 }, nth: 2",
    by: "nth: 3 }, nth: 2",
    found: /d1 logs "503"/,
  },
  {
    scenario: "15-language/fault-after-an-event",
    replace: "nth: 2 }, nth: 2",
    by: "nth: 1 }, nth: 2",
    found: /d1 logs "503".*too early/,
  },
  {
    scenario: "15-language/rate",
    replace: "phases: [{ batch: 50 }, { start: 2h }]",
    by: "phases: [{ batch: 99 }, { start: 2h }]",
    found: /at most 700000 bytes in any 1h: \d+ from/,
  },
  { scenario: "15-language/rate", replace: "poll: 10m", by: "poll: 1m", found: /at most 18 polls in any 5m: \d+ from/ },
  {
    scenario: "15-language/rate",
    replace: "start: 2h",
    by: "start: 7h",
    found: /at most 0 downloads in any 1h not before 6h/,
  },
  {
    scenario: "15-language/again-and-again",
    replace: "every: 1h",
    by: "every: 2h",
    found: /d boots for the 3rd time.*: it has happened 2 times/,
  },
  {
    scenario: "15-language/trust-comes-with-software",
    replace: "{ trusts: [old, new], config",
    by: "{ trusts: [old], config",
    found: /d reports success \(of second\)/,
  },
  {
    scenario: "15-language/trust-comes-with-software",
    replace: "UpdatePollIntervalSeconds: 600",
    by: "UpdatePollIntervalSeconds: 1800",
    found: /d: polls: at least 150, at most 200: \d+$/,
  },
  {
    scenario: "15-language/trust-comes-with-software",
    replace: "device_types: [other-board], trusts: [new]",
    by: "device_types: [other-board]",
    found: /other reports failure.*it has not happened/,
  },
  {
    scenario: "15-language/trust-comes-with-software",
    replace: "{ at: 12h, do",
    by: "{ at: 1m, do",
    found: /other runs v1 at the end: v2$/,
  },
  {
    scenario: "15-language/parameters",
    replace: "{ devices: 10, poll: 1h }",
    by: "{ devices: 3, poll: 2h }",
    found: /d3 runs v2 within 1h1m: at 2h1m/,
  },
  {
    scenario: "14-incidents/certificate-authority-expires",
    replace: "artifacts: [{ trusts: [old, new] }]",
    by: "artifacts: [{ trusts: [old] }]",
    found: /d1 reports success \(of without-the-old-one\)/,
  },
  {
    scenario: "14-incidents/herd-after-an-outage",
    replace: "first_poll: 60",
    by: "first_poll: 0",
    found: /at most 12 logins in any 5s.*: 40 from/,
  },
  {
    scenario: "14-incidents/wrong-build-signed-right",
    replace: "phases: [{ batch: 20, error_threshold: 50 }",
    by: "phases: [{ batch: 20 }",
    found: /deployment wrong is paused.*it has not happened/,
  },
  {
    scenario: "14-incidents/failure-hours-after-success",
    replace: "do: { pause: forth }",
    by: "do: { check_update: d1 }",
    found: /never: d1 enters Download: it happened/,
  },
  {
    scenario: "14-incidents/overlapping-deployments",
    replace: "do: { abort: line }",
    by: "do: { abort: base }",
    found: /base: success 4: aborted 1, success 3/,
  },
];

describe("What a scenario expects is not met if", () => {
  test.each(CHANGES)(
    "$scenario has $by for $replace",
    { timeout: 300_000 },
    async ({ scenario, replace, by, found }) => {
      const file = `${scenario}.yaml`;
      const text = readFileSync(join(LIBRARY, file), "utf8");
      expect(text).toContain(replace);
      const findings: string[] = [];
      for (const { scenario: changed } of parseCases(text.replace(replace, by), file)) {
        const { verdicts } = await runSimulated(changed, { readArtifact });
        findings.push(...verdicts.filter(({ met }) => !met).map(({ expected, got }) => `${expected}: ${got}`));
      }
      expect(findings).toContainEqual(expect.stringMatching(found));
    },
  );
});
