import { useSignal } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { call } from "../api.ts";
import { pageUrl } from "../parts/address.ts";
import { conditionsIn, type Device, deviceName, isEveryDevice, searchDevices, whereText } from "../parts/devices.ts";
import { DialogButton } from "../parts/frame.tsx";
import { List, ListChoice, ListSearch, type ListState, useList } from "../parts/list.tsx";
import { plural } from "../parts/text.tsx";
import { useResource } from "../resource.ts";
import { mayWrite } from "../session.tsx";
import { type Choice, ChoiceBar, changed, isChosen, NONE } from "./devices/choice.tsx";
import { Cell, type Column, ColumnsDialog, columnsIn, sortOf, titleOf } from "./devices/columns.tsx";
import { ConditionChips } from "./devices/conditions.tsx";
import { NoDevices } from "./overview.tsx";

const PER_PAGE = 50;
const STATUSES = ["accepted", "pending", "rejected", "preauthorized", "noauth"];

function Row({
  device,
  columns,
  isChosen,
  choose,
}: {
  readonly device: Device;
  readonly columns: readonly Column[];
  readonly isChosen: boolean;
  readonly choose: (isChosen: boolean) => void;
}) {
  const latestChoose = useRef(choose);
  latestChoose.current = choose;
  // While a search is under way the rows stay as they are, and are not gone through again.
  return useMemo(() => {
    const name = deviceName(device);
    return (
      <tr>
        <td>
          <input
            type="checkbox"
            aria-label={`choose ${name}`}
            checked={isChosen}
            onChange={({ currentTarget }) => latestChoose.current(currentTarget.checked)}
          />
        </td>
        <td data-label="Device">
          <a href={pageUrl(`/devices/${device.id}`)}>{name}</a>
        </td>
        {columns.map((column) => (
          <td key={column} data-label={titleOf(column)}>
            <Cell device={device} column={column} />
          </td>
        ))}
      </tr>
    );
  }, [device, columns, isChosen]);
}

function ColumnHead({ column, list }: { readonly column: Column; readonly list: ListState }) {
  const sort = sortOf(column);
  if (sort === undefined) return <th scope="col">{titleOf(column)}</th>;
  const order = list.query.sort === sort ? "ascending" : list.query.sort === `-${sort}` ? "descending" : "none";
  return (
    <th scope="col" aria-sort={order}>
      <button
        type="button"
        class="plain"
        onClick={() => list.narrow({ sort: order === "ascending" ? `-${sort}` : sort })}
      >
        {titleOf(column)}{" "}
        <span aria-hidden="true">{order === "ascending" ? "↑" : order === "descending" ? "↓" : ""}</span>
      </button>
    </th>
  );
}

export function DevicesPage() {
  const list = useList("/devices");
  const conditions = conditionsIn(list.query);
  const { sort = "", columns: named = "" } = list.query;
  const columns = useMemo(() => columnsIn(named), [named]);
  const asked = JSON.stringify(conditions);
  // A choice belongs to a search: with another search nothing is chosen.
  const kept = useSignal<{ readonly choice: Choice; readonly asked: string }>({ choice: NONE, asked });
  const choice = kept.value.asked === asked ? kept.value.choice : NONE;
  const set = (to: Choice): void => {
    kept.value = { choice: to, asked };
  };
  const found = useResource(
    [asked, sort, list.page].join("\n"),
    (signal) => searchDevices({ ...conditions, sort, page: list.page, perPage: PER_PAGE }, signal),
    ["device", "auth_set", "inventory"],
    { isKept: true },
  );
  const groups = useResource(
    "groups",
    async (signal) => (await call("get", "/api/management/v1/inventory/groups", { signal })).data,
    ["device"],
  );
  return (
    <>
      <h1>Devices</h1>
      <search class="filters">
        <ListSearch list={list} label="Search devices" found={found} />
        <ListChoice list={list} name="status" options={STATUSES} />
        <ListChoice list={list} name="group" options={groups.data ?? []} />
        <ConditionChips terms={conditions.where} change={(where) => list.narrow({ where: whereText(where) })} />
        <DialogButton label="Columns">
          {(close) => (
            <ColumnsDialog columns={columns} choose={(text) => list.change({ columns: text })} onClose={close} />
          )}
        </DialogButton>
      </search>
      <ChoiceBar choice={choice} groups={groups.data ?? []} forget={() => set(NONE)} />
      <List
        list={list}
        from={found}
        perPage={PER_PAGE}
        noun="device"
        head={(devices) => {
          const ids = devices.map(({ id }) => id);
          return (
            <thead>
              <tr>
                <th scope="col">
                  <input
                    type="checkbox"
                    aria-label="choose all of this page"
                    checked={ids.every((id) => isChosen(choice, id))}
                    onChange={({ currentTarget }) => set(changed(choice, ids, currentTarget.checked))}
                  />
                </th>
                <th scope="col">Device</th>
                {columns.map((column) => (
                  <ColumnHead key={column} column={column} list={list} />
                ))}
              </tr>
            </thead>
          );
        }}
        row={(device) => (
          <Row
            key={device.id}
            device={device}
            columns={columns}
            isChosen={isChosen(choice, device.id)}
            choose={(isAdded) => set(changed(choice, [device.id], isAdded))}
          />
        )}
        empty={
          isEveryDevice(conditions) ? (
            <NoDevices />
          ) : (
            <p class="hint">
              No device matches. <a href={pageUrl("/devices")}>Show all</a>
            </p>
          )
        }
      >
        {(total) =>
          mayWrite() &&
          "ids" in choice && (
            <button type="button" onClick={() => set({ conditions, count: total })}>
              Choose all {plural(total, "device")}
            </button>
          )
        }
      </List>
    </>
  );
}
