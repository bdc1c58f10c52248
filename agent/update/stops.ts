import { AgentError } from "../errors.ts";
import type { JournalRecord } from "./journal.ts";
import { type StateName, stateOf } from "./states.ts";

/** Where an update by hand can be stopped: the reference client's names, and the states that they mean. */
export const STOPS = {
  ArtifactInstall_Enter: "ArtifactInstall",
  ArtifactCommit_Enter: "ArtifactCommit",
  ArtifactCommit_Leave: "AfterArtifactCommit",
  ArtifactRollback_Enter: "ArtifactRollback",
  ArtifactFailure_Enter: "ArtifactFailure",
  Cleanup: "Cleanup",
} as const satisfies Record<string, StateName>;

/** States before which an update by hand is to stop. */
export type Stops = ReadonlySet<StateName>;

/** @throws AgentError `stop-unknown`, naming what may be given. */
export function stopsOf(names: readonly string[]): Stops {
  const known: ReadonlyMap<string, StateName> = new Map(Object.entries(STOPS));
  return new Set(
    names.map((name) => {
      const state = known.get(name);
      if (state !== undefined) return state;
      throw new AgentError(
        "stop-unknown",
        `an update cannot be stopped before ${JSON.stringify(name)}, only before one of ${[...known.keys()].join(", ")}`,
      );
    }),
  );
}

/** Where an update is, for a person. */
export function whereabouts({ position: { kind, state } }: Pick<JournalRecord, "position">): string {
  if (kind !== "stopped-before") return stateOf(state).doing;
  const name = Object.entries(STOPS).find(([, stop]) => stop === state)?.[0] ?? state;
  return `stopped before ${name}`;
}
