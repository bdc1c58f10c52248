import { describe, expect, it } from "vitest";
import { type CompleteRow, restartOf, type State, type StateName } from "../../../agent/update/states.ts";

/** Compiles only for a row that a table of states may have. */
function row<Name extends StateName, const Row extends State>(
  _name: Name,
  complete: Row & CompleteRow<Name, Row>,
): State {
  return complete;
}

const install = { doing: "installing", journal: "must", restart: "SupportsRollback" } as const;
const [done, failed] = [{ to: "Cleanup" }, { to: "SupportsRollback" }] as const;

describe("a row of the table compiles", () => {
  it("with a step for each outcome that its action and its columns can bring", () => {
    const report = { status: "installing", effort: "once", repeated: true } as const;
    row("ArtifactInstall", { ...install, next: { done, failed } });
    row("ArtifactInstall", { ...install, report, next: { done, failed, aborted: done, "aborted-within": failed } });
    row("ArtifactInstall", { ...install, limited: true, next: { done, failed, "too-often": failed } });
    row("NeedsRollbackReboot", { doing: "asking", journal: "no", next: { reboot: done, "no-reboot": done, failed } });
  });

  it("but not without one of them", () => {
    const report = { status: "installing", effort: "prove" } as const;
    // @ts-expect-error Every state can fail.
    row("ArtifactInstall", { ...install, next: { done } });
    // @ts-expect-error The action returns `done`.
    row("ArtifactInstall", { ...install, next: { failed } });
    // @ts-expect-error The answer to a report may be that the deployment was aborted.
    row("ArtifactInstall", { ...install, report, next: { done, failed } });
    // @ts-expect-error So may the answer to the final report.
    row("Report", { ...install, report: { status: "outcome" }, next: { done, failed } });
    const repeated = { ...report, repeated: true } as const;
    // @ts-expect-error A report that is repeated may be answered so while the state acts.
    row("ArtifactInstall", { ...install, report: repeated, next: { done, failed, aborted: done } });
    // @ts-expect-error A limited state can be visited too often.
    row("ArtifactInstall", { ...install, limited: true, next: { done, failed } });
  });

  it("nor with an outcome that it cannot have, or that leads nowhere", () => {
    // @ts-expect-error It reports nothing, so the server cannot answer.
    row("ArtifactInstall", { ...install, next: { done, failed, aborted: done } });
    // @ts-expect-error Another state's action returns `yes`.
    row("ArtifactInstall", { ...install, next: { done, failed, yes: done } });
    // @ts-expect-error There is no such state.
    row("ArtifactInstall", { ...install, next: { done, failed: { to: "ArtifactRemoval" } } });
  });

  it("with a restart exactly if it is journalled", () => {
    // @ts-expect-error A restart finds it in the journal.
    row("ArtifactInstall", { doing: "installing", journal: "must", next: { done, failed } });
    // @ts-expect-error A restart never finds it in the journal.
    row("SupportsRollback", { ...install, journal: "no", next: { yes: done, no: done, failed } });
  });
});

describe("a restart", () => {
  it("continues where the table says, and counts as a failure where it leads to the same state", () => {
    expect(restartOf("Download", "deployment")).toEqual({ to: "Download", failed: false });
    expect(restartOf("ArtifactInstall", "deployment")).toEqual({ to: "SupportsRollback", failed: true });
    expect(restartOf("ArtifactReboot", "deployment")).toEqual({ to: "ArtifactVerifyReboot", failed: false });
  });

  it("of an update by hand has no artifact to download any more", () => {
    expect(restartOf("Download", "standalone")).toEqual({ to: "Cleanup", failed: true });
  });
});
