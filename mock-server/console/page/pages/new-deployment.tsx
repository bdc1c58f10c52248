import { type Signal, useSignal } from "@preact/signals";
import { useLocation } from "preact-iso";
import { call, type Shown } from "../api.ts";
import { pageUrl, useQuery } from "../parts/address.ts";
import { Fault, Loaded, Section } from "../parts/frame.tsx";
import { type Phase, PhaseAxis } from "../parts/phases.tsx";
import type { Tone } from "../parts/status.tsx";
import { exact, plural, size, zoneName } from "../parts/text.tsx";
import { useResource } from "../resource.ts";

const DEPLOYMENTS = "/api/management/v1/deployments/deployments";
const PREVIEW = `${DEPLOYMENTS}/preview`;

/** What the form holds. */
interface Draft {
  readonly name: string;
  readonly release: string;
  readonly target: "all" | "group" | "filter" | "devices";
  readonly group: string;
  readonly filter: string;
  /** Identifiers, with blanks or commas between them. */
  readonly devices: string;
  readonly retries: number;
  /** Local time, as browsers write it; empty: at once. */
  readonly start: string;
  readonly phases: readonly DraftPhase[];
}

interface DraftPhase {
  /** Per cent of the devices; of the last phase, the rest. */
  readonly percent: number;
  /** Hours after the first phase. */
  readonly afterHours: number;
}

type PreviewResult = Awaited<ReturnType<typeof preview>>;
type Outcome = PreviewResult["outcomes"][number]["outcome"];

const OUTCOMES: Readonly<Record<Outcome, { readonly text: string; readonly tone: Tone }>> = {
  artifact: { text: "get", tone: "good" },
  "already-installed": { text: "have it already:", tone: "idle" },
  "no-artifact": { text: "get nothing: no artifact of this release fits", tone: "bad" },
  "unknown-device-type": { text: "have not told their type yet", tone: "waiting" },
  "older-deployment": { text: "wait for an older deployment:", tone: "waiting" },
  "not-accepted": { text: "are not accepted, and get nothing", tone: "waiting" },
};

const HOUR_MS = 3_600_000;

function idsIn(text: string): string[] {
  return text.split(/[\s,]+/).filter((id) => id !== "");
}

/** Without a planned start the first phase begins with the request. A planned start alone is a phase of all devices. */
function phasesOf({ phases, start }: Draft, nowMs: number) {
  const isPlanned = start !== "";
  const startMs = isPlanned ? Date.parse(start) : nowMs;
  const all = phases.length === 0 && isPlanned ? [{ percent: 100, afterHours: 0 }] : phases;
  if (all.length === 0) return {};
  return {
    phases: all.map(({ percent, afterHours }, index) => ({
      ...(index === all.length - 1 ? {} : { batch_size: percent }),
      ...(index > 0 || isPlanned ? { start_ts: new Date(startMs + afterHours * HOUR_MS).toISOString() } : {}),
    })),
  };
}

function bodyOf(draft: Draft, nowMs: number) {
  return {
    name: draft.name || draft.release,
    artifact_name: draft.release,
    ...(draft.retries > 0 ? { retries: draft.retries } : {}),
    ...phasesOf(draft, nowMs),
  };
}

function targetOf({ target, group, filter, devices }: Draft) {
  if (target === "group") return { group };
  if (target === "filter") return { filter_id: filter };
  return target === "devices" ? { devices: idsIn(devices) } : { all_devices: true };
}

/** @returns The path of the new deployment. */
async function create(draft: Draft): Promise<string> {
  const body = bodyOf(draft, Date.now());
  const answer =
    draft.target === "group"
      ? await call("post", `${DEPLOYMENTS}/group/{name}`, { params: { name: draft.group }, body })
      : draft.target === "filter"
        ? await call("post", "/api/management/v2/deployments/deployments", {
            body: { ...body, filter_id: draft.filter },
          })
        : await call("post", DEPLOYMENTS, { body: { ...body, ...targetOf(draft) } });
  return `/deployments/${answer.location.split("/").at(-1)}`;
}

/** Why the draft cannot be sent yet; `undefined` if it can. */
function missingIn(draft: Draft): string | undefined {
  if (draft.release === "") return "Choose a release.";
  if (draft.start !== "" && Number.isNaN(Date.parse(draft.start))) return "Give date and time of the start.";
  if (draft.target === "group" && draft.group === "") return "Choose a group.";
  if (draft.target === "filter" && draft.filter === "") return "Choose a filter.";
  if (draft.target === "devices" && idsIn(draft.devices).length === 0) return "Name at least one device.";
  const given = draft.phases.slice(0, -1).reduce((sum, { percent }) => sum + percent, 0);
  if (draft.phases.length > 0 && given >= 100)
    return `The phases before the last one have ${given} %: less than 100 must be left.`;
  return undefined;
}

async function preview(draft: Draft, signal: AbortSignal) {
  return (await call("post", PREVIEW, { body: { ...bodyOf(draft, Date.now()), ...targetOf(draft) }, signal })).data;
}

function Outcomes({ of: { target_count, outcomes } }: { readonly of: PreviewResult }) {
  return (
    <>
      <p>
        <strong>{plural(target_count, "device")}</strong> {target_count === 1 ? "is" : "are"} meant.
      </p>
      <ul class="outcomes">
        {outcomes.map(({ outcome, artifact, device_type, deployment_id, count }) => {
          const { text, tone } = OUTCOMES[outcome];
          return (
            <li key={`${outcome} ${artifact?.id} ${device_type} ${deployment_id}`}>
              <span class={`status ${tone}`}>{count.toLocaleString("en")}</span>{" "}
              {device_type !== undefined && <b>{device_type}</b>} {text}{" "}
              {artifact !== undefined && `${artifact.name} (${size(artifact.size)})`}
              {deployment_id !== undefined && <a href={pageUrl(`/deployments/${deployment_id}`)}>that one</a>}
            </li>
          );
        })}
      </ul>
    </>
  );
}

function drawn({ phases }: PreviewResult): readonly Phase[] {
  return phases.map(({ batch_size, start_ts, places }) => ({
    share: batch_size,
    startMs: start_ts === undefined ? Date.now() : Date.parse(start_ts),
    devices: places,
  }));
}

function Preview({ draft }: { readonly draft: Draft }) {
  const missing = missingIn(draft);
  const shown = useResource(
    JSON.stringify(draft),
    async (signal) => (missing === undefined ? await preview(draft, signal) : undefined),
    ["device", "deployment", "artifact"],
  );
  return (
    <Section title="What happens">
      {missing !== undefined ? (
        <p class="hint">{missing}</p>
      ) : (
        <Loaded from={shown}>
          {(result) =>
            result !== undefined && (
              <>
                <Outcomes of={result} />
                {(result.phases.length > 1 || draft.start !== "") && (
                  <>
                    <PhaseAxis phases={drawn(result)} />
                    <ol>
                      {drawn(result).map(({ share, startMs, devices }) => (
                        <li key={startMs}>
                          {Math.round(share)} % ({plural(devices ?? 0, "device")}), from {exact(startMs)}
                        </li>
                      ))}
                    </ol>
                  </>
                )}
              </>
            )
          }
        </Loaded>
      )}
    </Section>
  );
}

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
