// What a person sees: at terminals of several widths, with and without colours, asked and not asked.
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { widthOf } from "../../../mock-server/ctl/output/table.ts";
import { type RunningServer, startServer } from "../../support/server.ts";
import { Operator, withoutColours } from "./operator.ts";

const SERIALS = ["PUMP-0001-of-the-northern-station", "PUMP-0002-of-the-northern-station"];
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
const ESCAPE = /\u001b/;

let folder: string;
let server: RunningServer;
let operator: Operator;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeepctl-terminal-"));
  server = await startServer(join(folder, "server"));
  operator = new Operator({ UPKEEP_PASSWORD: server.password });
  for (const serial of SERIALS) {
    const { publicKey } = generateKeyPairSync("ed25519");
    const body = { identity_data: { serial }, pubkey: publicKey.export({ type: "spki", format: "pem" }) };
    await server.management.call("POST", "/api/management/v2/devauth/devices", body);
  }
  await operator.output("login", "--server", server.url, "--user", server.email);
  await operator.output("groups", "add", "northern-station", ...SERIALS);
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
  operator.remove();
});

describe("a list of devices", () => {
  test.each([40, 60, 80, 120])("fits a terminal of %i columns, and names every device", async (columns) => {
    const { code, text } = await operator.terminal(columns, ["devices", "list"]);
    expect(code).toBe(0);
    const lines = withoutColours(text).trimEnd().split("\n");
    for (const line of lines) expect(widthOf(line), line).toBeLessThanOrEqual(columns);
    expect(text).toMatch(/PUMP-0001/);
    expect(text).toMatch(/PUMP-0002/);
  });

  test("is a table at 80 columns, and lines of title and value at 40", async () => {
    const wide = withoutColours((await operator.terminal(80, ["devices", "list"])).text).split("\n");
    expect(wide[0]).toMatch(/^ID +NAME +STATUS +GROUP$/);
    expect(wide[1]).toMatch(/^\w{8} {2}serial PUMP-000.* {2}preauthorized {2}northe/);
    const narrow = withoutColours((await operator.terminal(30, ["devices", "list"])).text).split("\n");
    expect(narrow.slice(0, 6)).toEqual([
      expect.stringMatching(/^ID {6}\w{8}$/),
      "NAME    serial",
      expect.stringMatching(/^ {8}PUMP-000[12]-of-the-north$/),
      "        ern-station",
      "STATUS  preauthorized",
      "GROUP   northern-station",
    ]);
  });

  test.each([
    ["NO_COLOR", { NO_COLOR: "1" }],
    ["TERM=dumb", { TERM: "dumb" }],
  ])("has no escape sequences with %s, and colours without it", async (_, environment) => {
    expect((await operator.terminal(80, ["devices", "list"], { environment })).text).not.toMatch(ESCAPE);
    expect((await operator.terminal(80, ["devices", "list"])).text).toMatch(ESCAPE);
  });

  test("has no colours in a pipe, and its whole texts", async () => {
    const listed = await operator.output("devices", "list");
    expect(listed).not.toMatch(ESCAPE);
    for (const serial of SERIALS) expect(listed).toContain(`serial ${serial}  preauthorized  northern-station\n`);
  });
});

describe("a question", () => {
  const ask = ["groups", "delete", "northern-station"];
  const answered = (typed: string) =>
    operator.terminal(80, ask, { answer: (seen) => (seen.includes("[y/N] ") ? typed : undefined) });

  test("is asked at a terminal; no answer changes nothing, nor does no, nor Ctrl-C", async () => {
    const no = await answered("\r");
    expect(no.text).toContain("Take 2 devices out of group northern-station, which ends it? [y/N] ");
    expect(no.text).toContain("Nothing was changed.");
    expect(no.code).toBe(1);
    expect(await answered("\u0003")).toMatchObject({ code: 130 });
    expect(await operator.json("groups", "list")).toEqual([{ name: "northern-station", devices: 2 }]);
  });

  test("with yes it is done", async () => {
    expect((await answered("y\r")).code).toBe(0);
    expect(await operator.json("groups", "list")).toEqual([]);
  });
});

test("an ambiguous name is refused with what it may mean; the beginning of an id does", async () => {
  const ambiguous = await operator.run(["devices", "show", "PUMP"]);
  expect(ambiguous.code).toBe(1);
  expect(ambiguous.stderr).toMatch(
    /"PUMP" means several devices: \w{8} \(serial PUMP-000.*\), \w{8} \(serial PUMP-000/,
  );
  const [{ id }] = await operator.json<readonly [{ readonly id: string }]>("devices", "list");
  expect(await operator.output("devices", "show", id.slice(0, 8))).toMatch(new RegExp(`^id +${id}$`, "m"));
});
