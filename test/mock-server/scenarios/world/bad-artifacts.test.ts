import { expect, test } from "vitest";
import { BAD_ARTIFACTS } from "../../../../mock-server/faults/index.ts";
import { parseScenario } from "../../../../mock-server/scenarios/index.ts";
import { runSimulated } from "../../../../mock-server/scenarios/run/run.ts";

/** What the device says of each, in the log that it sends. */
const SAID: Readonly<Record<(typeof BAD_ARTIFACTS)[number], string>> = {
  corrupted: "SHA-256",
  truncated: "ends",
  wrong_signature: "signature",
  unsigned: "sign",
  wrong_device_type: "quite-another",
  missing_module: "unheard-of",
};

async function failures(fault: string, artifact = "signed: yes") {
  const text = `
scenario: A bad artifact
why: To see that it is refused.
fleet: [{ name: d, verify_signatures: yes }]
releases: [{ name: v2, artifacts: [{ ${artifact} }] }]
deployments: [{ name: first, release: v2, to: [d] }]
faults: [${fault}]
ends: { at_most: 4h }
expect:
  - ${fault === "" ? "{ device: d, status: success, runs: v2 }" : "{ device: d, status: failure, runs: v1, counts: { ArtifactInstall: 0 } }"}
`;
  const { verdicts, events } = await runSimulated(parseScenario(text, "bad.yaml"), {
    readArtifact: () => Promise.reject(new Error("no file")),
  });
  const log = events.flatMap((event) => (event.kind === "log" ? event.messages.map(({ message }) => message) : []));
  return { missed: verdicts.filter(({ met }) => !met), log: log.join("\n") };
}

test("an artifact without defects and with a good signature is installed", async () => {
  expect(await failures("")).toEqual({ missed: [], log: "" });
});

test.each(BAD_ARTIFACTS)("an artifact that is %s is refused before anything is installed", async (defect) => {
  const { missed, log } = await failures(`{ bad_artifact: ${defect} }`);
  expect(missed).toEqual([]);
  expect(log).toContain(SAID[defect]);
});

test.each(["gzip", "xz", "zstd"])("compressed with %s it installs as well", async (compression) => {
  expect(await failures("", `signed: yes, compression: ${compression}`)).toEqual({ missed: [], log: "" });
});
