import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { ApiError, call } from "../../api.ts";
import { pageUrl } from "../../parts/address.ts";
import { type Conditions, conditionsQuery, searchOf } from "../../parts/devices.ts";
import { Ask } from "../../parts/frame.tsx";
import { plural } from "../../parts/text.tsx";
import { mayWrite } from "../../session.tsx";

/** The devices that are chosen: some, or all that the search finds. */
export type Choice =
  | { readonly ids: ReadonlySet<string> }
  | {
      readonly conditions: Conditions;
      /** As many as were shown. */
      readonly count: number;
    };

export const NONE: Choice = { ids: new Set() };

export function isChosen(choice: Choice, id: string): boolean {
  return "ids" in choice ? choice.ids.has(id) : true;
}

/** The choice with some devices more or fewer. */
export function changed(choice: Choice, ids: readonly string[], isAdded: boolean): Choice {
  const next = new Set("ids" in choice ? choice.ids : []);
  for (const id of ids)
    if (isAdded) next.add(id);
    else next.delete(id);
  return { ids: next };
}

/** The chosen devices as the API takes them. */
function targetsOf(choice: Choice) {
  if ("ids" in choice) return { ids: [...choice.ids] };
  return { ...searchOf(choice.conditions), expected_count: choice.count };
}

interface Result {
  readonly reason?: string | undefined;
}

/** @throws Error naming how many devices were left out, and why. */
function checkResults(results: readonly Result[]): void {
  const refused = results.filter(({ reason }) => reason !== undefined);
  const [first] = refused;
  if (first !== undefined) throw new Error(`${plural(refused.length, "device")} not changed: ${first.reason}`);
}

async function decide(choice: Choice, status: "accepted" | "rejected"): Promise<void> {
  const body = { status, ...targetsOf(choice) };
  checkResults((await call("put", "/api/management/v2/devauth/devices/status", { body })).data);
}

const ACTIONS = {
  accept: {
    label: "Accept",
    title: "Accept devices",
    text: "may log in and get updates.",
    isDangerous: false,
    run: (choice: Choice) => decide(choice, "accepted"),
  },
  reject: {
    label: "Reject",
    title: "Reject devices",
    text: "cannot log in any more, until they are accepted again.",
    isDangerous: true,
    run: (choice: Choice) => decide(choice, "rejected"),
  },
  group: {
    label: "Change group",
    title: "Change the group",
    text: "go from the group that they are in to this one. Without a name they are in none.",
    isDangerous: false,
    run: async (choice: Choice, group: string) => {
      const body = { ...targetsOf(choice), ...(group === "" ? {} : { group }) };
      await call("put", "/api/management/v2/inventory/devices/group", { body });
    },
  },
  decommission: {
    label: "Decommission",
    title: "Decommission devices",
    text: "are forgotten, with their keys, inventory and history. This cannot be undone.",
    isDangerous: true,
    run: async (choice: Choice) => {
      const body = targetsOf(choice);
      checkResults((await call("post", "/api/management/v2/devauth/devices/decommission", { body })).data);
    },
  },
} as const;
type Action = keyof typeof ACTIONS;

/** Where the chosen devices are deployed to. */
function deployUrl(choice: Choice): string {
  return pageUrl(
    "/deployments/new",
    "ids" in choice
      ? { devices: [...choice.ids].join(",") }
      : { target: "search", ...conditionsQuery(choice.conditions) },
  );
}

/** What may be done with the chosen devices. */
export function ChoiceBar({
  choice,
  groups,
  forget,
  children,
}: {
  readonly choice: Choice;
  readonly groups: readonly string[];
  readonly forget: () => void;
  readonly children?: ComponentChildren;
}) {
  const asked = useSignal<Action | undefined>(undefined);
  const group = useSignal("");
  const count = "ids" in choice ? choice.ids.size : choice.count;
  if (count === 0 || !mayWrite()) return null;
  const action = asked.value === undefined ? undefined : ACTIONS[asked.value];
  return (
    <div class="chosen">
      <strong role="status">
        {"ids" in choice ? "" : "all "}
        {plural(count, "device")} chosen
      </strong>
      {Object.entries(ACTIONS).map(([name, { label, isDangerous }]) => (
        <button
          key={name}
          type="button"
          class={isDangerous ? "danger" : ""}
          onClick={() => {
            asked.value = name as Action;
          }}
        >
          {label}
        </button>
      ))}
      <a class="button" href={deployUrl(choice)}>
        Deploy
      </a>
      {children}
      <button type="button" class="plain" onClick={forget}>
        Choose none
      </button>
      {action !== undefined && (
        <Ask
          title={action.title}
          text={
            <>
              <p>
                {plural(count, "device")} {action.text}
                {"ids" in choice ? "" : " If the search finds another number of devices by then, nothing changes."}
              </p>
              {asked.value === "group" && (
                <label>
                  Group
                  <input
                    list="groups"
                    pattern="[A-Za-z0-9_\-]*"
                    value={group}
                    onInput={({ currentTarget }) => {
                      group.value = currentTarget.value.trim();
                    }}
                  />
                  <datalist id="groups">
                    {groups.map((one) => (
                      <option key={one} value={one} />
                    ))}
                  </datalist>
                </label>
              )}
            </>
          }
          action={action.label}
          isDangerous={action.isDangerous}
          onClose={() => {
            asked.value = undefined;
          }}
          run={async () => {
            await action.run(choice, group.value).catch(explain);
            forget();
          }}
        />
      )}
    </div>
  );
}

function explain(error: unknown): never {
  if (!(error instanceof ApiError) || error.status !== 409) throw error;
  throw new Error(`Nothing has changed. Close this, look at the list and choose again: ${error.message}`);
}
