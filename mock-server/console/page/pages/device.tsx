import { useLocation, useRoute } from "preact-iso";
import { call } from "../api.ts";
import { pageUrl } from "../parts/address.ts";
import { attribute, deviceName, identityText } from "../parts/devices.ts";
import { Ask, DialogButton, Loaded } from "../parts/frame.tsx";
import { PairsDialog } from "../parts/pairs.tsx";
import { Status } from "../parts/status.tsx";
import { Time, valueText } from "../parts/text.tsx";
import { useResource } from "../resource.ts";
import { mayWrite } from "../session.tsx";
import { Configuration } from "./device/configuration.tsx";
import { History } from "./device/history.tsx";
import { Inventory } from "./device/inventory.tsx";
import { Keys } from "./device/keys.tsx";

const DEVICE = "/api/management/v2/devauth/devices/{id}";

function Actions({ id }: { readonly id: string }) {
  const { route } = useLocation();
  return (
    <>
      <a class="button" href={pageUrl("/deployments/new", { devices: id })}>
        Deploy
      </a>
      {mayWrite() && (
        <DialogButton label="Decommission" look="danger">
          {(close) => (
            <Ask
              title="Decommission this device"
              text="The server forgets the device, its keys, its inventory and its history. This cannot be undone."
              action="Decommission"
              isDangerous
              onClose={close}
              run={async () => {
                await call("delete", DEVICE, { params: { id } });
                route(pageUrl("/devices"));
              }}
            />
          )}
        </DialogButton>
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
  return (
    <>
      {Object.entries(tags).map(([name, value]) => (
        <span key={name} class="tag">
          {name}={valueText(value)}
        </span>
      ))}
      {mayWrite() && (
        <DialogButton label={Object.keys(tags).length === 0 ? "Add tags" : "Edit"} look="plain">
          {(close) => (
            <PairsDialog
              title="Tags"
              hint="The tag `name` is shown instead of the identity."
              pairs={tags}
              onClose={close}
              save={async (pairs) => {
                await call("put", "/api/management/v1/inventory/devices/{id}/tags", {
                  params: { id },
                  body: Object.entries(pairs).map(([name, value]) => ({ name, value })),
                });
              }}
            />
          )}
        </DialogButton>
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
