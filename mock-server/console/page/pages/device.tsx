import { useSignal } from "@preact/signals";
import { useLocation, useRoute } from "preact-iso";
import { call, type Listed, type Shown } from "../api.ts";
import { pageUrl, useQuery } from "../parts/address.ts";
import { attribute, deviceName, identityText } from "../parts/devices.ts";
import { Ask, Dialog, Fault, Loaded, Section } from "../parts/frame.tsx";
import { LogDialog } from "../parts/log.tsx";
import { Status } from "../parts/status.tsx";
import { duration, Time, valueText } from "../parts/text.tsx";
import { TimelineDialog } from "../parts/timeline.tsx";
import { useResource } from "../resource.ts";
import { mayWrite } from "../session.tsx";

const DEVICE = "/api/management/v2/devauth/devices/{id}";
const HISTORY = "/api/management/v1/deployments/deployments/devices/{device}";
const CONFIGURATION = "/api/management/v1/deviceconfig/configurations/device/{id}";

type Key = Shown<typeof DEVICE>["auth_sets"][number];
type Past = Listed<typeof HISTORY>;

type Decision = "accepted" | "rejected" | "forgotten";

const DECISIONS = {
  accepted: { title: "Accept this key", text: "The device may log in with it and get updates.", action: "Accept" },
  rejected: { title: "Reject this key", text: "The device cannot log in with it any more.", action: "Reject" },
  forgotten: {
    title: "Dismiss this key",
    text: "The key is forgotten. If the device asks again, it is pending again.",
    action: "Dismiss",
  },
} as const;

async function decide(id: string, set: string, decision: Decision): Promise<void> {
  const params = { id, set };
  if (decision === "forgotten") await call("delete", "/api/management/v2/devauth/devices/{id}/auth/{set}", { params });
  else
    await call("put", "/api/management/v2/devauth/devices/{id}/auth/{set}/status", {
      params,
      body: { status: decision },
    });
}

function Keys({ id, keys }: { readonly id: string; readonly keys: readonly Key[] }) {
  const asked = useSignal<{ readonly key: Key; readonly decision: Decision } | undefined>(undefined);
  const question = asked.value === undefined ? undefined : DECISIONS[asked.value.decision];
  return (
    <Section title="Keys">
      <table>
        <thead>
          <tr>
            <th scope="col">Status</th>
            <th scope="col">Identity</th>
            <th scope="col">First asked</th>
            <th scope="col">
              <span class="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <td>
                <Status of={key.status} />
              </td>
              <td>
                {identityText(key.identity_data)}
                <details>
                  <summary>Public key</summary>
                  <pre>{key.pubkey}</pre>
                </details>
              </td>
              <td>
                <Time at={key.ts} />
              </td>
              <td class="actions">
                {mayWrite() &&
                  (["accepted", "rejected", "forgotten"] as const)
                    .filter((decision) => decision !== key.status)
                    .map((decision) => (
                      <button
                        key={decision}
                        type="button"
                        class={decision === "accepted" ? "primary" : ""}
                        onClick={() => {
                          asked.value = { key, decision };
                        }}
                      >
                        {DECISIONS[decision].action}
                      </button>
                    ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {asked.value !== undefined && question !== undefined && (
        <Ask
          {...question}
          isDangerous={asked.value.decision !== "accepted"}
          onClose={() => {
            asked.value = undefined;
          }}
          run={async () => {
            if (asked.value !== undefined) await decide(id, asked.value.key.id, asked.value.decision);
          }}
        />
      )}
    </Section>
  );
}

function Inventory({ id }: { readonly id: string }) {
  const filter = useSignal("");
  const device = useResource(
    id,
    async (signal) => {
      const path = "/api/management/v1/inventory/devices/{id}";
      return (await call("get", path, { params: { id }, signal })).data;
    },
    ["inventory", "device"],
  );
  return (
    <Section title="Inventory">
      <input
        type="search"
        aria-label="Search the inventory"
        placeholder="Search ( / )"
        onInput={({ currentTarget }) => {
          filter.value = currentTarget.value.toLowerCase();
        }}
      />
      <Loaded from={device}>
        {({ attributes = [] }) => (
          <table>
            <thead>
              <tr>
                <th scope="col">Attribute</th>
                <th scope="col">Value</th>
                <th scope="col">Scope</th>
              </tr>
            </thead>
            <tbody>
              {attributes
                .filter(({ name, value }) => `${name} ${valueText(value)}`.toLowerCase().includes(filter.value))
                .map(({ name, value, scope, description }) => (
                  <tr key={`${scope}/${name}`}>
                    <td title={description}>{name}</td>
                    <td class="value">{valueText(value)}</td>
                    <td class="hint">{scope}</td>
                  </tr>
                ))}
            </tbody>
          </table>
        )}
      </Loaded>
    </Section>
  );
}

/** `name=value` lines. @throws Error naming the line that is none. */
function parsePairs(text: string): Readonly<Record<string, string>> {
  const lines = text.split("\n").map((line) => line.trim());
  return Object.fromEntries(
    lines
      .filter((line) => line !== "")
      .map((line) => {
        const equals = line.indexOf("=");
        if (equals < 1) throw new Error(`"${line}" is not of the form name=value`);
        return [line.slice(0, equals).trim(), line.slice(equals + 1).trim()];
      }),
  );
}

function pairsText(pairs: Readonly<Record<string, unknown>>): string {
  return Object.entries(pairs)
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join("\n");
}

/** Edits `name=value` lines. */
function PairsDialog({
  title,
  hint,
  pairs,
  onClose,
  save,
}: {
  readonly title: string;
  readonly hint: string;
  readonly pairs: Readonly<Record<string, unknown>>;
  readonly onClose: () => void;
  readonly save: (pairs: Readonly<Record<string, string>>) => Promise<void>;
}) {
  const text = useSignal(pairsText(pairs));
  const fault = useSignal("");
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    try {
      await save(parsePairs(text.value));
      onClose();
    } catch (error) {
      fault.value = error instanceof Error ? error.message : String(error);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        <label>
          One line each: name=value
          <textarea
            rows={8}
            value={text}
            onInput={({ currentTarget }) => {
              text.value = currentTarget.value;
            }}
          />
        </label>
        <p class="hint">{hint}</p>
        <Fault text={fault.value} />
        <div class="actions">
          <button type="submit" class="primary">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Configuration({ id }: { readonly id: string }) {
  const isEdited = useSignal(false);
  const shown = useResource(id, async (signal) => (await call("get", CONFIGURATION, { params: { id }, signal })).data, [
    "configuration",
    "device_deployment",
  ]);
  const deploy = async (): Promise<void> => {
    await call("post", `${CONFIGURATION}/deploy`, { params: { id }, body: { retries: 0 } });
    shown.reload();
  };
  return (
    <Section
      title="Configuration"
      actions={
        mayWrite() && (
          <>
            <button
              type="button"
              onClick={() => {
                isEdited.value = true;
              }}
            >
              Edit
            </button>
            <button type="button" onClick={() => void deploy()}>
              Send to the device
            </button>
          </>
        )
      }
    >
      <Loaded from={shown}>
        {({ configured, reported }) => (
          <>
            <table>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Wanted</th>
                  <th scope="col">Reported by the device</th>
                </tr>
              </thead>
              <tbody>
                {[...new Set([...Object.keys(configured), ...Object.keys(reported)])].sort().map((name) => (
                  <tr key={name}>
                    <td>{name}</td>
                    <td class="value">{valueText(configured[name] ?? "")}</td>
                    <td class="value">{valueText(reported[name] ?? "")}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            {Object.keys(configured).length + Object.keys(reported).length === 0 && (
              <p class="hint">Nothing is configured.</p>
            )}
            {isEdited.value && (
              <PairsDialog
                title="Configuration"
                hint="The device hears of it when it is sent."
                pairs={configured}
                onClose={() => {
                  isEdited.value = false;
                }}
                save={async (pairs) => {
                  await call("put", CONFIGURATION, { params: { id }, body: pairs });
                  shown.reload();
                }}
              />
            )}
          </>
        )}
      </Loaded>
    </Section>
  );
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined || Number.isNaN(Date.parse(text)) ? undefined : Date.parse(text);
}

function PastRow({
  past,
  showLog,
  showTimeline,
}: {
  readonly past: Past;
  readonly showLog: () => void;
  readonly showTimeline: () => void;
}) {
  const { deployment, device } = past;
  const [started, finished] = [timeOf(device.started), timeOf(device.finished)];
  return (
    <tr>
      <td>
        <a href={pageUrl(`/deployments/${deployment.id}`)}>{deployment.name}</a>{" "}
        <span class="hint">{deployment.artifact_name}</span>
      </td>
      <td>
        <Status of={device.status} />
        {device.substate !== undefined && <div class="hint">{device.substate}</div>}
      </td>
      <td>
        <Time at={device.started ?? device.created} />
      </td>
      <td>{started !== undefined && finished !== undefined ? duration(finished - started) : ""}</td>
      <td class="actions">
        <button type="button" onClick={showTimeline}>
          Timeline
        </button>
        {device.log && (
          <button type="button" onClick={showLog}>
            Log
          </button>
        )}
      </td>
    </tr>
  );
}

function History({ id }: { readonly id: string }) {
  const { query, change } = useQuery(`/devices/${id}`);
  const shown = useResource(
    id,
    async (signal) => (await call("get", HISTORY, { params: { device: id }, query: { per_page: 20 }, signal })).data,
    ["device_deployment", "deployment_log"],
  );
  return (
    <Section title="Deployments">
      <Loaded from={shown}>
        {(list) =>
          list.length === 0 ? (
            <p class="hint">None yet.</p>
          ) : (
            <table>
              <thead>
                <tr>
                  <th scope="col">Deployment</th>
                  <th scope="col">Status</th>
                  <th scope="col">Began</th>
                  <th scope="col">Took</th>
                  <th scope="col">
                    <span class="unseen">Timeline and log</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {list.map((past) => (
                  <PastRow
                    key={past.id}
                    past={past}
                    showLog={() => change({ log: past.deployment.id }, false)}
                    showTimeline={() => change({ timeline: past.deployment.id }, false)}
                  />
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
      {query.timeline !== undefined && (
        <TimelineDialog
          deployment={query.timeline}
          device={id}
          onClose={() => change({ timeline: undefined }, false)}
        />
      )}
      {query.log !== undefined && (
        <LogDialog deployment={query.log} device={id} onClose={() => change({ log: undefined }, false)} />
      )}
    </Section>
  );
}

function Actions({ id }: { readonly id: string }) {
  const { route } = useLocation();
  const isAsked = useSignal(false);
  return (
    <>
      <a class="button" href={pageUrl("/deployments/new", { devices: id })}>
        Deploy
      </a>
      {mayWrite() && (
        <button
          type="button"
          class="danger"
          onClick={() => {
            isAsked.value = true;
          }}
        >
          Decommission
        </button>
      )}
      {isAsked.value && (
        <Ask
          title="Decommission this device"
          text="The server forgets the device, its keys, its inventory and its history. This cannot be undone."
          action="Decommission"
          isDangerous
          onClose={() => {
            isAsked.value = false;
          }}
          run={async () => {
            await call("delete", DEVICE, { params: { id } });
            route(pageUrl("/devices"));
          }}
        />
      )}
    </>
  );
}

async function found(id: string, signal: AbortSignal) {
  const { data } = await call("post", "/api/management/v2/inventory/filters/search", {
    body: { device_ids: [id] },
    signal,
  });
  return data[0];
}

function Tags({ id, tags }: { readonly id: string; readonly tags: Readonly<Record<string, unknown>> }) {
  const isEdited = useSignal(false);
  return (
    <>
      {Object.entries(tags).map(([name, value]) => (
        <span key={name} class="tag">
          {name}={valueText(value)}
        </span>
      ))}
      {mayWrite() && (
        <button
          type="button"
          class="plain"
          onClick={() => {
            isEdited.value = true;
          }}
        >
          {Object.keys(tags).length === 0 ? "Add tags" : "Edit"}
        </button>
      )}
      {isEdited.value && (
        <PairsDialog
          title="Tags"
          hint="The tag `name` is shown instead of the identity."
          pairs={tags}
          onClose={() => {
            isEdited.value = false;
          }}
          save={async (pairs) => {
            await call("put", "/api/management/v1/inventory/devices/{id}/tags", {
              params: { id },
              body: Object.entries(pairs).map(([name, value]) => ({ name, value })),
            });
          }}
        />
      )}
    </>
  );
}

export function DevicePage() {
  const { id = "" } = useRoute().params;
  const device = useResource(id, async (signal) => (await call("get", DEVICE, { params: { id }, signal })).data, [
    "device",
    "auth_set",
  ]);
  const attributes = useResource(`attributes ${id}`, (signal) => found(id, signal), ["inventory", "device"]);
  const shown = attributes.data;
  const tags = shown?.attributes.filter(({ scope }) => scope === "tags") ?? [];
  return (
    <Loaded from={device}>
      {({ status, identity_data, created_ts, check_in_time, auth_sets, tier, last_contact_ts, overdue }) => (
        <>
          <header class="title">
            <div>
              <p class="hint">
                <a href={pageUrl("/devices")}>Devices</a> /
              </p>
              <h1>{shown === undefined ? identityText(identity_data) : deviceName(shown)}</h1>
            </div>
            <div class="actions">
              <Actions id={id} />
            </div>
          </header>
          <dl class="facts">
            <dt>Status</dt>
            <dd>
              <Status of={status} />
            </dd>
            <dt>Identity</dt>
            <dd>{identityText(identity_data)}</dd>
            <dt>Id</dt>
            <dd class="value">{id}</dd>
            <dt>Software</dt>
            <dd>{valueText(shown === undefined ? "–" : (attribute(shown, "inventory", "artifact_name") ?? "–"))}</dd>
            <dt>Group</dt>
            <dd>{valueText(shown === undefined ? "–" : (attribute(shown, "system", "group") ?? "–"))}</dd>
            <dt>Tier</dt>
            <dd>{tier}</dd>
            <dt>First seen</dt>
            <dd>
              <Time at={created_ts} />
            </dd>
            <dt>Last login</dt>
            <dd>
              <Time at={check_in_time} />
            </dd>
            <dt>Last contact</dt>
            <dd>
              <Time at={last_contact_ts} />
              {overdue === true && <span class="status bad"> overdue</span>}
            </dd>
            <dt>Tags</dt>
            <dd>
              <Tags id={id} tags={Object.fromEntries(tags.map(({ name, value }) => [name, value]))} />
            </dd>
          </dl>
          <Keys id={id} keys={auth_sets} />
          <History id={id} />
          <Inventory id={id} />
          <Configuration id={id} />
        </>
      )}
    </Loaded>
  );
}
