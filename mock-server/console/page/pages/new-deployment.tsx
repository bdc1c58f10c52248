import { type Signal, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { useLocation } from "preact-iso";
import { call, reasonOf, type Shown } from "../api.ts";
import { pageUrl, useQuery } from "../parts/address.ts";
import { type Conditions, conditionsIn, conditionsQuery } from "../parts/devices.ts";
import { Fault, Loaded } from "../parts/frame.tsx";
import { termText } from "../parts/terms.tsx";
import { inputTime, timeOfInput, zoneText } from "../parts/text.tsx";
import { useResource } from "../resource.ts";
import { create, type Draft, missingIn } from "./new-deployment/draft.ts";
import { PhaseEditor } from "./new-deployment/phase-editor.tsx";
import { ONE_PHASE } from "./new-deployment/phase-plan.ts";
import { Preview } from "./new-deployment/preview.tsx";

type Filters = Shown<"/api/management/v2/inventory/filters">;

function Target({
  draft,
  groups,
  filters,
}: {
  readonly draft: Signal<Draft>;
  readonly groups: readonly string[];
  readonly filters: Filters;
}) {
  const { target, group, filter, search, devices } = draft.value;
  const set = (part: Partial<Draft>): void => {
    draft.value = { ...draft.value, ...part };
  };
  const choices = [
    ["all", "All accepted devices"],
    ["group", "A group"],
    ["filter", "All devices that match a filter, also later"],
    ["search", "The accepted devices that a search finds now"],
    ["devices", "Devices by their ids"],
  ] as const;
  return (
    <fieldset>
      <legend>Devices</legend>
      {choices.map(([value, text]) => (
        <label key={value} class="choice">
          <input type="radio" name="target" checked={target === value} onChange={() => set({ target: value })} /> {text}
        </label>
      ))}
      {target === "group" && (
        <select aria-label="Group" value={group} onChange={({ currentTarget }) => set({ group: currentTarget.value })}>
          <option value="">Choose a group</option>
          {groups.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
      {target === "filter" && (
        <select
          aria-label="Filter"
          value={filter}
          onChange={({ currentTarget }) => set({ filter: currentTarget.value })}
        >
          <option value="">Choose a filter</option>
          {filters.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      )}
      {target === "search" && (
        <p class="hint">
          {[...wordsOf(search), "accepted"].join(" and ")}.{" "}
          <a href={pageUrl("/devices", conditionsQuery(search))}>Change it in the list of devices</a>
        </p>
      )}
      {target === "devices" && (
        <textarea
          aria-label="Ids of devices"
          rows={3}
          value={devices}
          onInput={({ currentTarget }) => set({ devices: currentTarget.value })}
        />
      )}
    </fieldset>
  );
}

function wordsOf({ text, status, group, where }: Conditions): readonly string[] {
  return [
    ...(text === "" ? [] : [`“${text}” in any attribute`]),
    ...(status === "" ? [] : [`status is ${status}`]),
    ...(group === "" ? [] : [`group is ${group}`]),
    ...where.map(termText),
  ];
}

async function choices(signal: AbortSignal) {
  const [releases, groups, filters] = await Promise.all([
    call("get", "/api/management/v2/deployments/deployments/releases", { query: { per_page: 100 }, signal }),
    call("get", "/api/management/v1/inventory/groups", { signal }),
    call("get", "/api/management/v2/inventory/filters", { query: { per_page: 100 }, signal }),
  ]);
  return { releases: releases.data.map(({ name }) => name), groups: groups.data, filters: filters.data };
}

export function NewDeploymentPage() {
  const { query } = useQuery("/deployments/new");
  const { route } = useLocation();
  const fault = useSignal("");
  const isBusy = useSignal(false);
  const draft = useSignal<Draft>({
    name: "",
    release: query.release ?? "",
    target:
      query.target === "search"
        ? "search"
        : query.devices
          ? "devices"
          : query.group
            ? "group"
            : query.filter
              ? "filter"
              : "all",
    group: query.group ?? "",
    filter: query.filter ?? "",
    search: conditionsIn(query),
    devices: query.devices?.replaceAll(",", "\n") ?? "",
    retries: 0,
    startMs: undefined,
    phases: ONE_PHASE,
  });
  const { startMs } = draft.value;
  const nowMs = useRef(Date.now()).current;
  const shownCount = useRef<number | undefined>(undefined);
  const offered = useResource("choices", choices, ["artifact", "release", "filter", "device"]);
  const set = (part: Partial<Draft>): void => {
    draft.value = { ...draft.value, ...part };
  };
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    isBusy.value = true;
    fault.value = "";
    try {
      route(pageUrl(await create(draft.value, shownCount.current ?? 0)));
    } catch (error) {
      fault.value = reasonOf(error);
      isBusy.value = false;
    }
  };
  return (
    <>
      <h1>New deployment</h1>
      <div class="side-by-side">
        <form class="card" onSubmit={submit}>
          <Loaded from={offered}>
            {({ releases, groups, filters }) => (
              <>
                <label>
                  Release
                  <input
                    list="releases"
                    value={draft.value.release}
                    required
                    onInput={({ currentTarget }) => set({ release: currentTarget.value })}
                  />
                  <datalist id="releases">
                    {releases.map((name) => (
                      <option key={name} value={name} />
                    ))}
                  </datalist>
                </label>
                <Target draft={draft} groups={groups} filters={filters} />
                <label>
                  Start, in {zoneText(startMs ?? nowMs)}; empty: at once
                  <input
                    type="datetime-local"
                    value={startMs === undefined ? "" : inputTime(startMs)}
                    onInput={({ currentTarget }) => set({ startMs: timeOfInput(currentTarget.value) })}
                  />
                </label>
                <PhaseEditor
                  phases={draft.value.phases}
                  startMs={startMs ?? nowMs}
                  change={(phases) => set({ phases })}
                />
                <label>
                  Retries of a device that fails
                  <input
                    type="number"
                    min="0"
                    max="100"
                    value={draft.value.retries}
                    onInput={({ currentTarget }) => set({ retries: Number(currentTarget.value) })}
                  />
                </label>
                <label>
                  Name of the deployment
                  <input
                    value={draft.value.name}
                    placeholder={draft.value.release}
                    onInput={({ currentTarget }) => set({ name: currentTarget.value })}
                  />
                </label>
              </>
            )}
          </Loaded>
          <Fault text={fault.value} />
          <div class="actions">
            <button type="submit" class="primary" disabled={isBusy.value || missingIn(draft.value) !== undefined}>
              Deploy
            </button>
          </div>
        </form>
        <Preview
          draft={draft.value}
          tell={(count) => {
            shownCount.current = count;
          }}
        />
      </div>
    </>
  );
}
