import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { entering, JournalRecord, newRecord, softwareAfter } from "../../../agent/update/journal.ts";

/** A record as the first version wrote it, with the fields of every later version left out. */
const FIRST = {
  mode: "deployment",
  deployment: "d-1",
  state: "ArtifactInstall",
  visits: 2,
  artifact: { name: "new", group: null, payloadType: "x", provides: { "x.version": "2" }, clears: ["x.*"] },
  reboot: "No",
  device: "unknown",
  spoiled: false,
  looped: false,
  failure: null,
  failureCode: null,
  aborted: false,
  outcome: null,
} as const;

const stored = { path: "files/x", sha256: "00", bytes: 7, reachedBytes: 9 };
const read = (value: unknown): JournalRecord => z.decode(JournalRecord, value as z.input<typeof JournalRecord>);

describe("a journal of an older version is read", () => {
  it.each([
    ["the first version", {}, { rollbackReboots: 0, begunMs: undefined }],
    ["an update by hand", { mode: "standalone", deployment: null }, { origin: { mode: "standalone" } }],
    ["stopped", { stopped: true }, { position: { kind: "stopped-before", state: "ArtifactInstall" } }],
    ["entered", {}, { position: { kind: "entered", state: "ArtifactInstall" } }],
    ["counting reboots", { rollbackReboots: 3, begunMs: 5 }, { rollbackReboots: 3, begunMs: 5 }],
    [
      "resuming downloads",
      { state: "Download", download: stored, furthestBytes: 9 },
      { position: { kind: "downloading", state: "Download", stored, furthestBytes: 9 } },
    ],
    [
      "that kept the download's progress in later states",
      { furthestBytes: 9 },
      { position: { kind: "entered", state: "ArtifactInstall" } },
    ],
    ["spoiled", { spoiled: true }, { software: "rollback-uncertain" }],
    ["looped", { looped: true }, { software: "loop" }],
    ["spoiled and looped", { spoiled: true, looped: true }, { software: "loop" }],
    ["looped before anything was changed", { looped: true, device: "old" }, { software: "old" }],
    ["aborted", { aborted: true }, { origin: { mode: "deployment", id: "d-1", standing: "aborted" } }],
    ["not aborted", {}, { origin: { mode: "deployment", id: "d-1", standing: "open" } }],
    ["failed", { failure: "no", failureCode: "ENO" }, { failure: { code: "ENO", message: "no" } }],
    ["failed, without a code", { failure: "no" }, { failure: { code: "failed", message: "no" } }],
  ])("%s", (_, fields, expected) => {
    const record = read({ ...FIRST, ...fields });
    expect({ ...record, begunMs: record.begunMs }).toMatchObject(expected);
  });
});

describe("a journal", () => {
  it.each<Partial<JournalRecord>>([
    {},
    { origin: { mode: "standalone" }, position: { kind: "stopped-before", state: "AfterArtifactCommit" } },
    { position: { kind: "downloading", state: "Download", stored, furthestBytes: 9 } },
    { software: "rollback-uncertain", position: { kind: "entered", state: "ArtifactFailure" }, rollbackReboots: 2 },
    { software: "loop", failure: { code: "state-loop", message: "a loop" } },
    { origin: { mode: "deployment", id: "d", standing: "aborted" }, outcome: "failure" },
  ])("is read as it was written: %o", (fields) => {
    const record: JournalRecord = {
      ...newRecord({ mode: "deployment", id: "d", standing: "open" }, 1),
      ...fields,
    };
    expect(read(JSON.parse(JSON.stringify(z.encode(JournalRecord, record))))).toEqual(record);
  });

  it("is written in the form that older versions read, since a rollback boots one of them", () => {
    const record: JournalRecord = {
      ...newRecord({ mode: "deployment", id: "d-1", standing: "aborted" }, 5),
      position: { kind: "stopped-before", state: "ArtifactRollback" },
      artifact: FIRST.artifact as unknown as JournalRecord["artifact"],
      software: "rollback-uncertain",
      failure: { code: "ENO", message: "no" },
    };
    expect(z.encode(JournalRecord, record)).toEqual({
      ...FIRST,
      state: "ArtifactRollback",
      stopped: true,
      visits: 0,
      rollbackReboots: 0,
      begunMs: 5,
      spoiled: true,
      aborted: true,
      failure: "no",
      failureCode: "ENO",
    });
  });

  it("keeps what is stored of a download while that is entered again, and only then", () => {
    const downloading = { kind: "downloading", state: "Download", stored } as const;
    expect(entering("Download", downloading)).toEqual(downloading);
    expect(entering("Cleanup", downloading)).toEqual({ kind: "entered", state: "Cleanup" });
    expect(entering("Download", { kind: "stopped-before", state: "Download" })).toEqual({
      kind: "downloading",
      state: "Download",
    });
  });

  it("never says again that what ran before is restored, once a rollback is uncertain", () => {
    expect(softwareAfter("unknown", "old")).toBe("old");
    expect(softwareAfter("rollback-uncertain", "old")).toBe("rollback-uncertain");
    expect(softwareAfter("rollback-uncertain", "unknown")).toBe("rollback-uncertain");
  });
});
