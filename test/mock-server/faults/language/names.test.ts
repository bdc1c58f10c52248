import { expect, test } from "vitest";
import { STATE_NAMES, stateOf } from "../../../../agent/update/states.ts";
import { AGENT_STATES, SCRIPT_SETS } from "../../../../mock-server/faults/language/names.ts";

test("faults know the states of an update as the agent's table has them", () => {
  expect(AGENT_STATES).toEqual(STATE_NAMES);
});

test("faults know every set of state scripts of the agent's table", () => {
  const sets = STATE_NAMES.flatMap((name) => {
    const { enter, leave, error } = stateOf(name);
    return [enter, leave, error].filter((set) => set !== undefined);
  });
  const daemons = ["Idle_Enter", "Idle_Leave", "Sync_Enter", "Sync_Leave", "Sync_Error"];
  expect(SCRIPT_SETS).toEqual([...daemons, ...new Set(sets)]);
});
