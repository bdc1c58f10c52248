import { definitionOf, FAULT_NAMES, PLACES, type Place } from "../../mock-server/faults/index.ts";

/** How each place is called in the tables. */
const TITLES: Readonly<Record<Place, string>> = {
  simulated: "simulated",
  real: "`--real`",
  attached: "`--attach`",
  control: "control API",
};

/** What differs on purpose wherever a scenario is run, whatever its faults are. */
const DIFFERENCES: readonly (readonly [what: string, simulated: string, real: string, why: string])[] = [
  [
    "Time",
    "virtual: a day passes in a moment",
    "devices poll every second; all times of the file are shorter by the same factor, but intervals are at least one second and timeouts at least ten",
    "real programs take real time",
  ],
  [
    "A good network",
    "40 ms from a request to its answer, 1 MiB/s for downloads",
    "the loopback of this machine; each exchange has a connection of its own",
    "only a simulated network has a speed of its own",
  ],
  [
    "Boot and restart",
    "a boot takes 20 s, a service restart 5 s",
    "the agent's process starts at once",
    "devices are directories of this machine",
  ],
  [
    "Moments of a state",
    "`during` is the middle of a state: half of a download, half of a module's call, or the second call of the system",
    "`during` a state without a program of the device comes right after its beginning",
    "the runner sees only the log and the programs of a real agent",
  ],
  [
    "Wall clocks and chance",
    "each device has a clock of its own; the seed decides everything, two runs are the same",
    "all devices have the clock of this machine; the seed decides which faults happen, not the order of events",
    "processes run when the kernel lets them",
  ],
];

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function faultsTable(): string {
  const rows = FAULT_NAMES.map((name) => {
    const { meaning, where } = definitionOf(name);
    return [`\`${name}\``, meaning, ...PLACES.map((place) => (where[place] === true ? "yes" : "no"))];
  });
  return table(["Fault", "Meaning", ...PLACES.map((place) => TITLES[place])], rows);
}

/** Why a fault, or one of its values, is not possible somewhere. */
function reasonsTable(): string {
  const rows = FAULT_NAMES.flatMap((name) => {
    const { where, limits = [] } = definitionOf(name);
    const whole = PLACES.flatMap((place) => {
      const reason = where[place];
      return reason === true ? [] : [[`\`${name}\``, TITLES[place], reason]];
    });
    const partly = limits.flatMap(({ what, reasons }) =>
      Object.entries(reasons).map(([place, reason]) => [what, TITLES[place as Place], reason]),
    );
    return [...whole, ...partly];
  });
  return table(["Fault", "Not possible with", "Reason"], grouped(rows));
}

/** Rows of the same fault and reason become one. */
function grouped(rows: readonly (readonly string[])[]): string[][] {
  const places = new Map<string, string[]>();
  for (const [fault = "", place = "", reason = ""] of rows) {
    const key = JSON.stringify([fault, reason]);
    places.set(key, [...(places.get(key) ?? []), place]);
  }
  return [...places].map(([key, where]) => {
    const [fault = "", reason = ""] = JSON.parse(key) as string[];
    return [fault, where.join(", "), reason];
  });
}

function differencesTable(): string {
  const rows = FAULT_NAMES.flatMap((name) =>
    Object.entries(definitionOf(name).differs ?? {}).map(([place, reason]) => [
      `\`${name}\``,
      TITLES[place as Place],
      reason,
    ]),
  );
  return table(["Fault", "Different with", "What is different there, and why"], grouped(rows));
}

/** The chapter about faults: each with its meaning, where it can be had, and what differs on purpose. */
export function faultsChapter(): string {
  return [
    "## Faults",
    "",
    "A fault stands in the `faults` of a scenario, or is switched on at a running server",
    "(`upkeep-server control faults add`). Each has one meaning: a test runs it through the simulated network and over",
    "real connections, and compares what the device gets.",
    "",
    faultsTable(),
    "",
    "### Where a fault is not possible",
    "",
    reasonsTable(),
    "",
    "### What differs on purpose",
    "",
    table(
      ["What", "Simulated", "With `--real`", "Reason"],
      DIFFERENCES.map((row) => [...row]),
    ),
    "",
    differencesTable(),
  ].join("\n");
}
