import { describe, expect, it, test } from "vitest";
import { camelCase, GLOBAL_OPTIONS } from "../../../mock-server/ctl/command.ts";
import { TABLE } from "../../../mock-server/ctl/commands.ts";
import { type Deployment, endOf, progressBar, progressOf, progressText } from "../../../mock-server/ctl/deployments.ts";
import { eventsIn } from "../../../mock-server/ctl/events.ts";
import { filterText, parseFilter } from "../../../mock-server/ctl/filter.ts";
import { colours } from "../../../mock-server/ctl/output/colours.ts";
import { csvLine } from "../../../mock-server/ctl/output/csv.ts";
import { type Column, shortened, shortenedPainted, tableText, widthOf } from "../../../mock-server/ctl/output/table.ts";
import { agoText, shortIds, sizeText } from "../../../mock-server/ctl/output/texts.ts";
import { parsePhases } from "../../../mock-server/ctl/phases.ts";

const PLAIN = colours(false);

describe("conditions", () => {
  test.each([
    ["device_type=my-board", [["inventory", "device_type", "$eq", "my-board"]]],
    [
      'memory>=512 and tags/site="Building 7"',
      [
        ["inventory", "memory", "$gte", 512],
        ["tags", "site", "$eq", "Building 7"],
      ],
    ],
    [
      "identity/mac~^02:, version!=1.2",
      [
        ["identity", "mac", "$regex", "^02:"],
        ["inventory", "version", "$ne", 1.2],
      ],
    ],
    ['serial="0012"', [["inventory", "serial", "$eq", "0012"]]],
    [
      "site in (a, b) and x not in (1)",
      [
        ["inventory", "site", "$in", ["a", "b"]],
        ["inventory", "x", "$nin", [1]],
      ],
    ],
    [
      "a exists,b missing",
      [
        ["inventory", "a", "$exists", true],
        ["inventory", "b", "$exists", false],
      ],
    ],
    ['rootfs-image.app.version="say \\"a\\""', [["inventory", "rootfs-image.app.version", "$eq", 'say "a"']]],
  ])("%s", (text, terms) => {
    const parsed = parseFilter(text);
    expect(parsed.map(({ scope, attribute, type, value }) => [scope, attribute, type, value])).toEqual(terms);
    expect(parseFilter(filterText(parsed))).toEqual(parsed);
  });

  test.each([
    ["", "the name of an attribute is missing at the end"],
    ["a", "an operator"],
    ["a=", "a value is missing at the end"],
    ["a=1 b=2", "'and' is missing at \"b=2\""],
    ["a in b", "'(' is missing at \"b\""],
    ["a in (b", "')' is missing at the end"],
    ["nowhere/a=1", 'there is no scope "nowhere"'],
  ])("%s is refused", (text, complaint) => {
    expect(() => parseFilter(text)).toThrow(complaint);
  });
});

describe("phases", () => {
  const now = Date.parse("2026-03-01T12:00:00Z");

  it("are shares with the time at which they begin", () => {
    expect(parsePhases("10%,50%@2h,rest@2026-03-02T12:00+01:00", now, { error: 20 })).toEqual([
      { batch_size: 10, error_threshold: 20 },
      { batch_size: 50, start_ts: "2026-03-01T14:00:00.000Z", error_threshold: 20 },
      { start_ts: "2026-03-02T11:00:00.000Z", error_threshold: 20 },
    ]);
  });

  test.each([
    ["rest,10%@1h", 'phase 1 "rest": must be such as 10%'],
    ["10", 'phase 1 "10": must be such as 50%'],
    ["10%,50%", "must say when it begins, such as 50%@2h"],
    ["10%,50%@soon", "behind @ must be a time such as 2h"],
    ["10%,50%@2026-03-02T12:00", "an instant with its zone"],
  ])("%s is refused", (text, complaint) => {
    expect(() => parsePhases(text, now)).toThrow(complaint);
  });
});

describe("a table", () => {
  interface Row {
    readonly id: string;
    readonly text: string;
    readonly count: number;
  }
  const columns: readonly Column<Row>[] = [
    { title: "ID", text: ({ id }) => id },
    { title: "TEXT", text: ({ text }) => text, least: 6 },
    { title: "COUNT", text: ({ count }) => String(count), right: true },
    { title: "EMPTY", text: () => "" },
  ];
  const rows: readonly Row[] = [
    { id: "a1", text: "a reason of many words", count: 3 },
    { id: "b2", text: "電池の残量が低い", count: 12 },
  ];
  const table = (width: number | undefined): readonly string[] => tableText(rows, columns, width, PLAIN).split("\n");

  it("is as wide as its texts, without columns that are empty", () => {
    expect(table(undefined)).toEqual([
      "ID  TEXT                    COUNT",
      "a1  a reason of many words      3",
      "b2  電池の残量が低い           12",
    ]);
  });

  it.each([120, 80, 40, 30, 20])("fits into %i columns", (width) => {
    for (const line of table(width)) expect(widthOf(line)).toBeLessThanOrEqual(width);
  });

  it("becomes lines of title and value where it is too narrow, and loses no word", () => {
    expect(table(16)).toEqual([
      "ID     a1",
      "TEXT   a reason",
      "       of many",
      "       words",
      "COUNT  3",
      "",
      "ID     b2",
      "TEXT   電池の残",
      "       量が低い",
      "COUNT  12",
    ]);
  });

  it("escapes what would move the cursor", () => {
    const evil: readonly Row[] = [{ id: "\u001b[2J", text: "a\nb", count: 1 }];
    expect(tableText(evil, columns, undefined, PLAIN)).toBe("ID         TEXT  COUNT\n\\u001b[2J  a\\nb      1");
  });

  it("shortens by columns, not by characters, and leaves colours whole", () => {
    expect(shortened("電池の残量", 5)).toBe("電池…");
    expect(shortened("👩‍🚀👩‍🚀👩‍🚀", 5)).toBe("👩‍🚀👩‍🚀…");
    const { red, green } = colours(true);
    expect(shortenedPainted(red("abc") + green("def"), 5)).toBe(`${red("abc")}${green("d")}…`);
  });
});

describe("progress", () => {
  const deployment = (status: object, more: object = {}) =>
    ({ statistics: { status, total_size: 0 }, device_count: 0, ...more }) as unknown as Deployment;

  it("counts devices that have not asked as waiting, and those left out apart", () => {
    const progress = progressOf(
      deployment({ success: 1, "already-installed": 1, failure: 1, noartifact: 1, installing: 1 }, { max_devices: 8 }),
    );
    expect(progress).toEqual({ done: 2, failed: 1, aborted: 0, leftOut: 1, active: 1, waiting: 3, total: 8 });
    expect(progressText(progress)).toBe("2 of 8 done, 1 failed, 1 left out, 1 under way");
    expect(progressBar(progress, 8, PLAIN)).toBe("██▓·▒░░░");
  });

  it.each([
    [{ success: 2, noartifact: 1 }, {}, "succeeded"],
    [{ success: 2, failure: 1 }, {}, "ended with failures"],
    [{ success: 2, aborted: 1 }, {}, "was aborted"],
    [{ success: 2 }, { max_devices: 3 }, "was aborted"],
    [{ success: 2 }, { max_devices: 3, dynamic: true }, "succeeded"],
  ])("%j %j has ended: %s", (status, more, end) => {
    expect(endOf(deployment(status, more))).toBe(end);
  });

  it("shows one failure among thousands of devices", () => {
    const progress = progressOf(deployment({ success: 9999, failure: 1 }));
    expect(progressBar(progress, 10, PLAIN)).toBe("█████████▓");
  });
});

describe("small texts", () => {
  it("shows sizes and times for people", () => {
    expect([0, 999, 1000, 12_345_678, 999_900_000].map(sizeText)).toEqual([
      "0 B",
      "999 B",
      "1.0 kB",
      "12.3 MB",
      "1000 MB",
    ]);
    const now = Date.parse("2026-03-01T12:00:00Z");
    expect(agoText("2026-03-01T11:59:30Z", now)).toBe("30 s ago");
    expect(agoText("2026-03-04T12:00:00Z", now)).toBe("in 3 d");
    expect(agoText(undefined, now)).toBe("");
  });

  it("makes short ids longer where they would be the same", () => {
    const short = shortIds(["12345678-0000", "12345678-1000"]);
    expect(short("12345678-0000")).toBe("12345678-0");
    expect(shortIds(["12345678-0000"])("12345678-0000")).toBe("12345678");
  });

  it("guards cells that a spreadsheet would calculate", () => {
    expect(csvLine(["=1+1", "@a", "-5", "+cmd|' /C calc'!A0", 'say "a"', "a,b", "two\nlines", "\tx"])).toBe(
      `'=1+1,'@a,-5,'+cmd|' /C calc'!A0,"say ""a""","a,b","two\nlines",'\tx`,
    );
  });

  it("reads events also where the network cuts them", async () => {
    const text =
      ': connected\n\nid: 4\nevent: device\ndata: {"subject":"é"}\n\nid: 5\n\nevent: reset\nid: 6\ndata: {}\n\n';
    const bytes = new TextEncoder().encode(text);
    async function* cut(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += 3) yield bytes.subarray(at, at + 3);
    }
    const events = [];
    for await (const event of eventsIn(cut())) events.push(event);
    expect(events).toEqual([
      { number: 4, kind: "device", subject: "é" },
      { number: 6, kind: "reset" },
    ]);
  });
});

describe("the table of commands", () => {
  it.each(TABLE.commands.map((command) => [command.name, command] as const))(
    "%s: has names of its own, and a function",
    async (_, command) => {
      const global = Object.keys(GLOBAL_OPTIONS);
      const words = [...Object.keys(command.positionals), ...Object.keys(command.options)].map(camelCase);
      expect(new Set(words).size).toBe(words.length);
      expect(words.filter((word) => [...global.map(camelCase), "help", "version"].includes(word))).toEqual([]);
      expect(command.describe).not.toMatch(/\.$/);
      expect(await command.load()).toBeTypeOf("function");
    },
  );

  it("says what each noun is about", () => {
    const nouns = TABLE.commands.flatMap(({ name }) => (name.includes(" ") ? [name.split(" ")[0] ?? ""] : []));
    expect([...new Set(nouns)].sort()).toEqual(Object.keys(TABLE.nouns).sort());
  });
});
