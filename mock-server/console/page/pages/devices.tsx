import { useSignal } from "@preact/signals";
import { call } from "../api.ts";
import { pageUrl, useQuery } from "../parts/address.ts";
import { attribute, conditionsOf, type Device, deviceName, type Search, searchDevices } from "../parts/devices.ts";
import { Ask, DialogButton, Loaded, Pager } from "../parts/frame.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { Status } from "../parts/status.tsx";
import { plural, Time, valueText } from "../parts/text.tsx";
import { useResource } from "../resource.ts";
import { mayWrite } from "../session.tsx";
import { NoDevices } from "./overview.tsx";

const PER_PAGE = 50;
const STATUSES = ["accepted", "pending", "rejected", "preauthorized", "noauth"];

/** Columns: what they show, and what they sort by. */
const COLUMNS = [
  { title: "Device", sort: undefined },
  { title: "Status", sort: "identity/status" },
  { title: "Type", sort: "inventory/device_type" },
  { title: "Software", sort: "inventory/artifact_name" },
  { title: "Group", sort: "system/group" },
  { title: "Last contact", sort: undefined },
] as const;

type Decision = "accepted" | "rejected";

/** Devices by their ids, or all that meet the conditions, if they are still as many as were shown. */
type Targets =
  | { readonly ids: readonly string[] }
  | { readonly conditions: Pick<Search, "status" | "group">; readonly count: number };

/** @throws Error naming how many devices were left out, and why. */
async function decide(targets: Targets, status: Decision): Promise<void> {
  const meant =
    "ids" in targets
      ? { ids: [...targets.ids] }
      : { filters: conditionsOf(targets.conditions), expected_count: targets.count };
  const { data } = await call("put", "/api/management/v2/devauth/devices/status", { body: { status, ...meant } });
  const refused = data.filter(({ reason }) => reason !== undefined);
  const [first] = refused;
  if (first !== undefined) throw new Error(`${plural(refused.length, "device")} not changed: ${first.reason}`);
}

function Row({ device, isChosen, choose }: { device: Device; isChosen: boolean; choose: (isChosen: boolean) => void }) {
  const name = deviceName(device);
  const status = String(attribute(device, "identity", "status") ?? "noauth");
  const cell = (scope: string, attributeName: string) => {
    const value = attribute(device, scope, attributeName);
    return value === undefined ? <span class="none">–</span> : valueText(value);
  };
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          aria-label={`choose ${name}`}
          checked={isChosen}
          onChange={({ currentTarget }) => choose(currentTarget.checked)}
        />
      </td>
      <td data-label="Device">
        <a href={pageUrl(`/devices/${device.id}`)}>{name}</a>
      </td>
      <td data-label="Status">
        <Status of={status} />
      </td>
      <td data-label="Type">{cell("inventory", "device_type")}</td>
      <td data-label="Software">{cell("inventory", "artifact_name")}</td>
      <td data-label="Group">{cell("system", "group")}</td>
      <td data-label="Last contact">
        <Time at={device.last_contact_ts} />
        {device.overdue === true && <span class="status bad"> overdue</span>}
      </td>
    </tr>
  );
}

function SortHeader({
  title,
  sort,
  now,
  change,
}: {
  title: string;
  sort: string;
  now: string;
  change: (to: string) => void;
}) {
  const order = now === sort ? "ascending" : now === `-${sort}` ? "descending" : "none";
  return (
    <th scope="col" aria-sort={order}>
      <button type="button" class="plain" onClick={() => change(order === "ascending" ? `-${sort}` : sort)}>
        {title} <span aria-hidden="true">{order === "ascending" ? "↑" : order === "descending" ? "↓" : ""}</span>
      </button>
    </th>
  );
}

function Chosen({ ids, forget }: { readonly ids: readonly string[]; readonly forget: () => void }) {
  const asked = useSignal<Decision | undefined>(undefined);
  if (ids.length === 0) return null;
  const decision = asked.value;
  return (
    <div class="chosen" role="status">
      <strong>{plural(ids.length, "device")} chosen</strong>
      {mayWrite() && (
        <>
          <button type="button" onClick={() => (asked.value = "accepted")}>
            Accept
          </button>
          <button type="button" onClick={() => (asked.value = "rejected")}>
            Reject
          </button>
          <a class="button" href={pageUrl("/deployments/new", { devices: ids.join(",") })}>
            Deploy to them
          </a>
        </>
      )}
      <button type="button" class="plain" onClick={forget}>
        Choose none
      </button>
      {decision !== undefined && (
        <Ask
          title={decision === "accepted" ? "Accept devices" : "Reject devices"}
          text={
            decision === "accepted"
              ? `${plural(ids.length, "device")} may log in and get updates.`
              : `${plural(ids.length, "device")} cannot log in any more, until they are accepted again.`
          }
          action={decision === "accepted" ? "Accept" : "Reject"}
          isDangerous={decision === "rejected"}
          onClose={() => {
            asked.value = undefined;
          }}
          run={async () => {
            await decide({ ids }, decision);
            forget();
          }}
        />
      )}
    </div>
  );
}

/** Accepts every device that waits, also those on other pages. */
function AcceptAll({ count, group }: { readonly count: number; readonly group: string }) {
  return (
    <DialogButton label={`Accept all ${count.toLocaleString("en")}`}>
      {(close) => (
        <Ask
          title="Accept all pending devices"
          text={`${plural(count, "device")} may log in and get updates. If other devices have asked meanwhile, nothing changes.`}
          action="Accept all"
          onClose={close}
          run={() => decide({ conditions: { status: "pending", group }, count }, "accepted")}
        />
      )}
    </DialogButton>
  );
}

export function DevicesPage() {
  const { query, change } = useQuery("/devices");
  const { q = "", status = "", group = "", sort = "" } = query;
  const page = Math.max(1, Number(query.page) || 1);
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  const found = useResource(
    [q, status, group, sort, page].join("\n"),
    (signal) => searchDevices({ text: q, status, group, sort, page, perPage: PER_PAGE }, signal),
    ["device", "auth_set", "inventory"],
  );
  const groups = useResource(
    "groups",
    async (signal) => (await call("get", "/api/management/v1/inventory/groups", { signal })).data,
    ["device"],
  );
  const ids = found.data?.data.map(({ id }) => id) ?? [];
  const choose = (some: readonly string[], isChosen: boolean): void => {
    const next = new Set(chosen.value);
    for (const id of some)
      if (isChosen) next.add(id);
      else next.delete(id);
    chosen.value = next;
  };
  return (
    <>
      <h1>Devices</h1>
      <search class="filters">
        <SearchBox label="Search devices" value={q} search={(text) => change({ q: text, page: undefined })} />
        <select
          aria-label="Status"
          value={status}
          onChange={({ currentTarget }) => change({ status: currentTarget.value, page: undefined })}
        >
          <option value="">Any status</option>
          {STATUSES.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <select
          aria-label="Group"
          value={group}
          onChange={({ currentTarget }) => change({ group: currentTarget.value, page: undefined })}
        >
          <option value="">Any group</option>
          {groups.data?.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </search>
      <Chosen
        ids={[...chosen.value]}
        forget={() => {
          chosen.value = new Set();
        }}
      />
      <Loaded from={found}>
        {({ data, total }) =>
          total === 0 ? (
            q === "" && status === "" && group === "" ? (
              <NoDevices />
            ) : (
              <p class="hint">
                No device matches. <a href={pageUrl("/devices")}>Show all</a>
              </p>
            )
          ) : (
            <>
              <p class="hint" role="status">
                {plural(total, "device")}
              </p>
              {status === "pending" && q === "" && mayWrite() && <AcceptAll count={total} group={group} />}
              <table class="wide">
                <thead>
                  <tr>
                    <th scope="col">
                      <input
                        type="checkbox"
                        aria-label="choose all of this page"
                        checked={ids.length > 0 && ids.every((id) => chosen.value.has(id))}
                        onChange={({ currentTarget }) => choose(ids, currentTarget.checked)}
                      />
                    </th>
                    {COLUMNS.map((column) =>
                      column.sort === undefined ? (
                        <th key={column.title} scope="col">
                          {column.title}
                        </th>
                      ) : (
                        <SortHeader
                          key={column.title}
                          title={column.title}
                          sort={column.sort}
                          now={sort}
                          change={(to) => change({ sort: to, page: undefined })}
                        />
                      ),
                    )}
                  </tr>
                </thead>
                <tbody>
                  {data.map((device) => (
                    <Row
                      key={device.id}
                      device={device}
                      isChosen={chosen.value.has(device.id)}
                      choose={(isChosen) => choose([device.id], isChosen)}
                    />
                  ))}
                </tbody>
              </table>
              <Pager
                page={page}
                perPage={PER_PAGE}
                total={total}
                hrefOf={(to) => pageUrl("/devices", { ...query, page: to })}
              />
            </>
          )
        }
      </Loaded>
    </>
  );
}
