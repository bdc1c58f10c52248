import { expect, test } from "vitest";
import { FAULT_NAMES, type FaultName } from "../../../../mock-server/faults/index.ts";
import { parseScenario } from "../../../../mock-server/scenarios/index.ts";
import { runSimulated } from "../../../../mock-server/scenarios/run/run.ts";

interface Case {
  /** Lines of the list of faults. */
  readonly faults: string;
  readonly device?: string;
  readonly artifact?: string;
  readonly server?: string;
  /** Lines of the list of what is expected. */
  readonly expect: string;
}

const FAILS = (log: string) => `{ device: d, status: failure, runs: v1, log: ${JSON.stringify(log)} }`;
const LATE = (after: string) => `{ device: d, reports: success, after: ${after} }`;
const SLOTS = "module: { kind: slots, stores: no, reboot: automatic }";

const ADAPTIVE = { server: "adaptive: yes", artifact: "payload: 256 KiB, alike: 0.5" };
const WHOLE = "{ device: d, runs: v2, status: success, logs: the whole artifact is downloaded }";

/** For each fault, what it looks like from outside. */
const CASES: Readonly<Record<FaultName, Case>> = {
  link_down: { faults: "{ link_down: yes, until: 2h }", expect: LATE("2h") },
  cut_download: {
    faults: "{ cut_download: { at: 30 KB, by: silence } }",
    expect: "{ device: d, runs: v2, counts: { downloads: 2 } }",
  },
  slow: { faults: "{ slow: 1 KB/s, to: download }", expect: LATE("64s") },
  lossy: {
    faults: "{ lossy: { lose: answer }, to: status, count: 3 }",
    expect: "{ device: d, runs: v2, counts: { status_reports: { at_least: 5 } } }",
  },
  reordered: { faults: "{ reordered: 30s, to: status, count: 1 }", expect: "{ device: d, runs: v2, status: success }" },
  duplicated: {
    faults: "{ duplicated: yes, to: [poll, status, log] }",
    expect: "{ device: d, runs: v2, status: success, counts: { ArtifactInstall: 1 } }",
  },
  dns_failure: { faults: "{ dns_failure: yes, count: 2 }", expect: "{ device: d, runs: v2, logs: ENOTFOUND }" },
  proxy_fails: {
    device: "proxy: yes",
    faults: "{ proxy_fails: refused, count: 2 }",
    expect: "{ device: d, runs: v2, logs: its proxy does not connect to it }",
  },
  tls_failure: {
    faults: "{ tls_failure: expired, count: 2 }",
    expect: "{ device: d, runs: v2, logs: CERT_HAS_EXPIRED }",
  },
  wrong_clock: {
    faults: "{ wrong_clock: { behind: 500d }, until: 3h }",
    expect: `{ device: d, logs: CERT_NOT_YET_VALID }\n  - ${LATE("3h")}`,
  },
  answer: { faults: "{ answer: { status: 429, retry_after: 1h }, to: poll, count: 1 }", expect: LATE("1h") },
  malformed_answer: {
    faults: "{ malformed_answer: yes, to: poll, count: 1 }",
    expect: '{ device: d, runs: v2, logs: "not JSON" }',
  },
  empty_answer: {
    faults: "{ empty_answer: yes, to: poll, count: 1 }",
    expect: '{ device: d, runs: v2, logs: "not JSON" }',
  },
  encoded_answer: {
    faults: "{ encoded_answer: gzip, to: poll, count: 1 }",
    expect: '{ device: d, runs: v2, logs: "in the content encoding gzip, which was not asked for" }',
  },
  truncated_answer: {
    faults: "{ truncated_answer: 10 B, to: poll, count: 1 }",
    expect: "{ device: d, runs: v2, logs: ECONNRESET }",
  },
  delayed_answer: { faults: "{ delayed_answer: 4m, to: poll, count: 1 }", expect: LATE("4m") },
  changed_object: {
    faults: "{ cut_download: { at: 30 KB } }\n  - { changed_object: yes, skip: 1, count: 1 }",
    expect: "{ device: d, status: failure, runs: v1 }",
  },
  expired_link: {
    faults: "{ expired_link: yes, count: 1 }",
    expect: "{ device: d, runs: v2, counts: { polls: { at_least: 3 } } }",
  },
  bad_artifact: { faults: "{ bad_artifact: corrupted }", expect: FAILS("SHA-256") },
  range_ignored: {
    faults: "{ cut_download: { at: 30 KB }, count: 1 }\n  - { range_ignored: yes, count: 1, skip: 1 }",
    expect: "{ device: d, runs: v2, counts: { downloads: 2 } }",
  },
  index_wrong: { ...ADAPTIVE, faults: "{ index_wrong: yes }", expect: WHOLE },
  chunk_wrong: { ...ADAPTIVE, faults: "{ chunk_wrong: yes }", expect: WHOLE },
  seed_changes: {
    ...ADAPTIVE,
    faults: "{ seed_changes: yes }",
    expect: "{ device: d, runs: v2, status: success, logs: were changed meanwhile }",
  },
  module_fails: { faults: "{ module_fails: ArtifactInstall }", expect: FAILS("ArtifactInstall") },
  module_hangs: {
    device: "config: { ModuleTimeoutSeconds: 600 }",
    faults: "{ module_hangs: ArtifactInstall }",
    expect: `{ device: d, reports: failure, after: 10m }\n  - { device: d, runs: v1 }`,
  },
  module_floods: { faults: "{ module_floods: ArtifactInstall }", expect: "{ device: d, runs: v2, status: success }" },
  module_fills: {
    device: "data_partition: { size: 1 MiB, inodes: 200 }",
    faults: "{ module_fills: ArtifactInstall }",
    expect: FAILS("has filled the data partition"),
  },
  script_fails: {
    artifact: "scripts: { ArtifactInstall_Enter_01: 0 }",
    faults: "{ script_fails: ArtifactInstall_Enter }",
    expect: FAILS("ArtifactInstall_Enter_01"),
  },
  script_retries: {
    artifact: "scripts: { ArtifactInstall_Enter_01: 0 }",
    faults: "{ script_retries: ArtifactInstall_Enter, count: 3 }",
    expect: LATE("2m"),
  },
  script_hangs: {
    artifact: "scripts: { ArtifactInstall_Enter_01: 0 }",
    device: "config: { StateScriptTimeoutSeconds: 900 }",
    faults: "{ script_hangs: ArtifactInstall_Enter }",
    expect: `{ device: d, reports: failure, after: 15m }\n  - { device: d, runs: v1 }`,
  },
  script_floods: {
    artifact: "scripts: { ArtifactInstall_Enter_01: 0 }",
    faults: "{ script_floods: ArtifactInstall_Enter }",
    expect: "{ device: d, runs: v2, status: success }",
  },
  disk_full: {
    faults: "{ disk_full: yes, while: Download }",
    expect: "{ device: d, status: failure, runs: v1, logs: ENOSPC }",
  },
  read_only_disk: {
    faults: "{ read_only_disk: yes, while: ArtifactInstall }",
    expect: "{ device: d, status: failure, runs: v1, logs: EROFS }",
  },
  disk_fails: {
    faults: "{ disk_fails: yes, while: Download }",
    expect: "{ device: d, status: failure, runs: v1, logs: EIO }",
  },
  disk_denied: {
    faults: "{ disk_denied: yes, while: ArtifactInstall }",
    expect: "{ device: d, status: failure, runs: v1, logs: EACCES }",
  },
  torn_write: {
    faults: "{ power_cut: { during: ArtifactInstall } }\n  - { torn_write: yes }",
    expect: "{ device: d, status: failure, runs: v1, counts: { boots: 2 } }",
  },
  power_cut: {
    faults: "{ power_cut: { after_step: 5, leaves: chance } }",
    expect: "{ device: d, deployment: first, counts: { boots: 2 } }",
  },
  watchdog_reboot: {
    faults: "{ watchdog_reboot: { before: ArtifactCommit } }",
    expect: "{ device: d, status: failure, runs: v1, counts: { boots: 2 } }",
  },
  agent_killed: {
    faults: "{ agent_killed: { during: ArtifactInstall } }",
    expect: "{ device: d, status: failure, runs: v1, counts: { boots: 1 } }",
  },
  reboot_ignored: {
    device: "module: { reboot: automatic }",
    faults: "{ reboot_ignored: yes, while: ArtifactReboot }",
    expect: "{ device: d, status: failure, runs: v1 }",
  },
  boot_failure: {
    device: `${SLOTS}, boot_limit: 3`,
    faults: "{ boot_failure: { times: 2 } }",
    expect: "{ device: d, runs: v2, status: success }",
  },
  server_killed: {
    faults: "{ server_killed: { when: after, back_after: 10m }, to: status }",
    expect: "{ device: d, runs: v2, status: success, reports: success, after: 10m }",
  },
  database_slow: { faults: "{ database_slow: 50s, to: poll, count: 1 }", expect: LATE("50s") },
};

function scenarioOf({
  faults,
  device = "type: board",
  artifact = "payload: 64 KiB",
  server = "",
  expect: expected,
}: Case): string {
  return `
scenario: One fault
why: To see what it does.
server: { ${server} }
fleet:
  - { name: d, poll: 30m, ${device} }
releases:
  - { name: v2, artifacts: [{ ${artifact} }] }
deployments:
  - { name: first, release: v2, to: [d] }
faults:
  - ${faults}
ends: { at_most: 2d }
expect:
  - ${expected}
`;
}

test.each(FAULT_NAMES)("the fault %s happens, and is dealt with", async (name) => {
  const scenario = parseScenario(scenarioOf(CASES[name]), "fault.yaml");
  const { verdicts } = await runSimulated(scenario, { readArtifact: () => Promise.reject(new Error("no file")) });
  expect(verdicts.filter(({ met }) => !met)).toEqual([]);
});
