import { type Signal, useSignal } from "@preact/signals";
import { useLocation } from "preact-iso";
import { call, type Shown } from "../api.ts";
import { pageUrl, useQuery } from "../parts/address.ts";
import { Fault, Loaded } from "../parts/frame.tsx";
import { zoneName } from "../parts/text.tsx";
import { useResource } from "../resource.ts";
import { create, type Draft, type DraftPhase, missingIn } from "./new-deployment/draft.ts";
import { Preview } from "./new-deployment/preview.tsx";

function PhaseEditor({ draft }: { readonly draft: Signal<Draft> }) {
  const { phases } = draft.value;
  const set = (changed: readonly DraftPhase[]): void => {
    draft.value = { ...draft.value, phases: changed };
  };
  const change = (index: number, part: Partial<DraftPhase>): void =>
    set(phases.map((phase, at) => (at === index ? { ...phase, ...part } : phase)));
  const add = (): void => {
    if (phases.length === 0)
      set([
        { percent: 10, afterHours: 0 },
        { percent: 0, afterHours: 24 },
      ]);
    else {
      const last = phases.at(-1)?.afterHours ?? 0;
      set([...phases.slice(0, -1), { percent: 20, afterHours: last }, { percent: 0, afterHours: last + 24 }]);
    }
  };
  return (
    <fieldset>
      <legend>Phases</legend>
      {phases.length === 0 ? (
        <p class="hint">All devices may begin at once.</p>
      ) : (
        phases.map(({ percent, afterHours }, index) => (
          <div key={index} class="phase">
            <label>
              {index === phases.length - 1 ? "The rest" : "Per cent"}
              <input
                type="number"
                min="1"
                max="99"
                disabled={index === phases.length - 1}
                value={index === phases.length - 1 ? "" : percent}
                onInput={({ currentTarget }) => change(index, { percent: Number(currentTarget.value) })}
              />
            </label>
            <label>
              Hours later
              <input
                type="number"
                min="0"
                step="any"
                disabled={index === 0}
                value={afterHours}
                onInput={({ currentTarget }) => change(index, { afterHours: Number(currentTarget.value) })}
              />
            </label>
            {index > 0 && (
              <button
                type="button"
                onClick={() => set(phases.length === 2 ? [] : phases.filter((_, at) => at !== index))}
              >
                Remove
              </button>
            )}
          </div>
        ))
      )}
      <button type="button" onClick={add}>
        {phases.length === 0 ? "Begin with a part of the devices" : "Add a phase"}
      </button>
    </fieldset>
  );
}

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
  const { target, group, filter, devices } = draft.value;
  const set = (part: Partial<Draft>): void => {
    draft.value = { ...draft.value, ...part };
  };
  const choices = [
    ["all", "All accepted devices"],
    ["group", "A group"],
    ["filter", "All devices that match a filter, also later"],
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
    target: query.devices ? "devices" : query.group ? "group" : query.filter ? "filter" : "all",
    group: query.group ?? "",
    filter: query.filter ?? "",
    devices: query.devices?.replaceAll(",", "\n") ?? "",
    retries: 0,
    start: "",
    phases: [],
  });
  const offered = useResource("choices", choices, ["artifact", "release", "filter", "device"]);
  const set = (part: Partial<Draft>): void => {
    draft.value = { ...draft.value, ...part };
  };
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    isBusy.value = true;
    fault.value = "";
    try {
      route(pageUrl(await create(draft.value)));
    } catch (error) {
      fault.value = error instanceof Error ? error.message : String(error);
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
                  Start, in local time ({zoneName()}); empty: at once
                  <input
                    type="datetime-local"
                    value={draft.value.start}
                    onInput={({ currentTarget }) => set({ start: currentTarget.value })}
                  />
                </label>
                <PhaseEditor draft={draft} />
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
        <Preview draft={draft.value} />
      </div>
    </>
  );
}
