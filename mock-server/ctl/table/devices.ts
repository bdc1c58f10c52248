import { type Command, command, type PositionalSpec } from "../command.ts";

const DEVICES = { device: { describe: "Id, its beginning, or what identifies the device", several: true } } as const;
const DEVICE = { device: { describe: "Id, its beginning, or what identifies the device" } } as const;
const GROUP = { group: { describe: "Name of the group" } } as const satisfies Record<string, PositionalSpec>;
const FILTER = { filter: { describe: "Name or id of the filter" } } as const;
const YES = { yes: { kind: "flag", aliases: ["y"], describe: "Do not ask" } } as const;
const STATUSES = ["pending", "accepted", "rejected", "preauthorized", "noauth"] as const;
const ALL = {
  all: { kind: "flag", describe: "All that are pending" },
  ...YES,
} as const;

export const DEVICE_COMMANDS: readonly Command[] = [
  command("devices list", {
    describe: "List devices",
    options: {
      status: { kind: "text", choices: STATUSES, describe: "Only devices of this status" },
      group: { kind: "text", value: "NAME", describe: "Only devices of this static group" },
      filter: {
        kind: "text",
        value: "EXPR",
        describe: "Only devices that meet conditions, such as device_type=my-board",
      },
      text: { kind: "text", value: "TEXT", describe: "Only devices with this text in any attribute" },
    },
    load: async () => (await import("../commands/devices-list.ts")).devicesList,
  }),
  command("devices show", {
    describe: "Show a device: status, keys, inventory, and what it has done",
    positionals: DEVICE,
    load: async () => (await import("../commands/devices-show.ts")).devicesShow,
  }),
  command("devices accept", {
    describe: "Accept devices",
    positionals: { device: { ...DEVICES.device, optional: true } },
    options: ALL,
    load: async () => (await import("../commands/devices-decide.ts")).devicesAccept,
  }),
  command("devices reject", {
    describe: "Reject devices",
    positionals: { device: { ...DEVICES.device, optional: true } },
    options: ALL,
    load: async () => (await import("../commands/devices-decide.ts")).devicesReject,
  }),
  command("devices decommission", {
    describe: "Forget devices, with their keys and inventories",
    positionals: DEVICES,
    options: YES,
    load: async () => (await import("../commands/devices-decommission.ts")).devicesDecommission,
  }),
  command("devices log", {
    describe: "Print the log that a device sent of a deployment",
    positionals: DEVICE,
    options: {
      deployment: { kind: "text", value: "ID", describe: "The deployment; its last one with a log if absent" },
      attempt: { kind: "number", value: "N", describe: "The attempt; the last one if absent" },
      level: {
        kind: "text",
        choices: ["debug", "info", "warning", "error"],
        describe: "Least severe level that is printed",
      },
    },
    load: async () => (await import("../commands/devices-log.ts")).devicesLog,
  }),
  command("devices tag", {
    describe: "Put tags on a device, or take them off",
    positionals: { ...DEVICE, tag: { describe: "NAME=VALUE; NAME= takes the tag off", several: true } },
    load: async () => (await import("../commands/devices-tag.ts")).devicesTag,
  }),
  command("groups list", {
    describe: "List static groups with the number of their devices",
    load: async () => (await import("../commands/groups-list.ts")).groupsList,
  }),
  command("groups devices", {
    describe: "List the devices of a group",
    positionals: GROUP,
    load: async () => (await import("../commands/groups-devices.ts")).groupsDevices,
  }),
  command("groups add", {
    describe: "Put devices into a group, out of the one that they are in",
    positionals: { ...GROUP, ...DEVICES },
    load: async () => (await import("../commands/groups-change.ts")).groupsAdd,
  }),
  command("groups remove", {
    describe: "Take devices out of a group",
    positionals: { ...GROUP, ...DEVICES },
    load: async () => (await import("../commands/groups-change.ts")).groupsRemove,
  }),
  command("groups delete", {
    describe: "Take all devices out of a group, which ends it",
    positionals: GROUP,
    options: YES,
    load: async () => (await import("../commands/groups-delete.ts")).groupsDelete,
  }),
  command("filters list", {
    describe: "List saved filters",
    load: async () => (await import("../commands/filters-list.ts")).filtersList,
  }),
  command("filters devices", {
    describe: "List the devices that meet the conditions of a saved filter now",
    positionals: FILTER,
    load: async () => (await import("../commands/filters-devices.ts")).filtersDevices,
  }),
  command("filters create", {
    describe: "Save a filter",
    details: [
      "Conditions are [SCOPE/]NAME OPERATOR VALUE, with 'and' or a comma between two, and all must be met. Operators are " +
        "= != > >= < <= and ~ (regular expression), 'in (A, B)', 'not in (A, B)', 'exists' and 'missing'. Scopes are inventory " +
        "(if absent), identity, tags, system and monitor. A value in quotation marks is a text.",
    ],
    positionals: {
      name: { describe: "Name of the filter" },
      expression: { describe: "Conditions, such as 'memory>=512 and tags/site=north'" },
    },
    load: async () => (await import("../commands/filters-create.ts")).filtersCreate,
  }),
  command("filters delete", {
    describe: "Delete a saved filter; deployments to it keep a copy",
    positionals: FILTER,
    options: YES,
    load: async () => (await import("../commands/filters-delete.ts")).filtersDelete,
  }),
];
