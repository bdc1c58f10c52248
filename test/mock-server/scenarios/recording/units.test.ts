import { given } from "@upkeep/shared/given";
import { describe, expect, test } from "vitest";
import { DeviceScript, type ScriptRequest } from "../../../../mock-server/scenarios/recording/device-script.ts";
import { firstDifference } from "../../../../mock-server/scenarios/recording/difference.ts";
import { parseRecording, type RecordedLine } from "../../../../mock-server/scenarios/recording/format.ts";
import { Secrets } from "../../../../mock-server/scenarios/recording/secrets.ts";

const HEAD = '{"format":"upkeep-recording","version":1,"begun":"2026-01-01T00:00:00Z"}';

describe("secrets", () => {
  test("get names that stay the same, and are found wherever they stand later", () => {
    const secrets = new Secrets();
    const token = "0123456789abcdef0123";
    expect(secrets.token(token, "d1")).toBe("<token 1>");
    expect(secrets.token("another-token-of-them", "d2")).toBe("<token 2>");
    expect(secrets.token(token, "d1")).toBe("<token 1>");
    expect(secrets.known(token)).toEqual({ name: "<token 1>", device: "d1" });
    const link = "/api/devices/v1/deployments/download/artifact/1?x-men-signature=abc";
    expect(secrets.link(link, "d1")).toBe("<link 1>");
    secrets.alias(`http://updates.example.com${link}`, "<link 1>");
    expect(secrets.scrubbed(`sent ${token} to http://updates.example.com${link}.`)).toBe("sent <token 1> to <link 1>.");
  });

  test("that nobody has named are known by their looks", () => {
    const secrets = new Secrets();
    const jwt = `eyJ${"a".repeat(20)}.${"b".repeat(20)}.${"c".repeat(20)}`;
    expect(secrets.scrubbed(`a ${jwt} b`)).toBe("a <token> b");
    expect(secrets.scrubbed('"uri":"http://x/y?X-Amz-Signature=abc&a=1"')).toBe(
      '"uri":"http://x/y?X-Amz-Signature=<secret>&a=1"',
    );
  });

  test("a device is called the same whenever it is the same", () => {
    const secrets = new Secrets();
    expect([secrets.device("a"), secrets.device("b"), secrets.device("a")]).toEqual(["d1", "d2", "d1"]);
  });
});

describe("a recording's file", () => {
  test.each([
    ["", "r:1: not a line of JSON"],
    ['{"format":"other","version":1,"begun":""}', "r:1: format"],
    ['{"format":"upkeep-recording","version":1,"begun":"2026-02-30T00:00:00Z"}', "r:1: begun"],
    [`${HEAD}\n{"n":0}`, "r:2: n: "],
    [`${HEAD}\n\nnonsense`, "r:3: not a line of JSON: nonsense"],
  ])("%j is refused, naming the line", (text, message) => {
    expect(() => parseRecording(text, "r")).toThrow(message);
  });

  test.each(["http://other.example/x", "@other.example/x", "<@other.example/x", "x"])(
    "does not name another server, which would get the token: %s",
    (path) => {
      const line = JSON.stringify({ ...exchange("POST", path, 200), line: undefined });
      expect(() => parseRecording([HEAD, line].join("\n"), "r")).toThrow(
        "r:2: request.path: must be a path that begins with /, or a link such as <link 1>",
      );
    },
  );

  test("is put into the order in which the requests came", () => {
    const line = (n: number) => JSON.stringify({ ...exchange("POST", "/x", 200), n, line: undefined });
    expect(
      parseRecording([HEAD, line(2), line(1)].join("\n"), "r").exchanges.map(({ n, line: at }) => [n, at]),
    ).toEqual([
      [1, 3],
      [2, 2],
    ]);
  });
});

test("the first difference is found wherever it is", () => {
  expect(firstDifference({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] })).toBeUndefined();
  expect(firstDifference({ a: [1, { b: 2 }] }, { a: [1, { b: 3 }] })).toEqual({
    where: "json.a[1].b",
    expected: "2",
    got: "3",
  });
  expect(firstDifference({ a: 1 }, {})).toEqual({ where: "json.a", expected: "1", got: "nothing" });
  expect(firstDifference([1], [1, 2])).toEqual({ where: "json[1]", expected: "nothing", got: "2" });
  expect(firstDifference({ a: 1 }, { a: 2 }, (path) => path === "json.a")).toBeUndefined();
});

let count = 0;

function exchange(method: string, path: string, status: number, asked?: unknown, answered?: unknown): RecordedLine {
  count++;
  return {
    n: count,
    line: count + 1,
    at_ms: 0,
    took_ms: 0,
    device: "d1",
    request: { method, path, headers: {}, ...given({ json: asked }) },
    answer: { status, headers: {}, ...given({ json: answered }) },
  };
}

const NEXT = "/api/devices/v2/deployments/device/deployments/next";
const STATUS = "/api/devices/v1/deployments/device/deployments/one/status";
const AUTH = "/api/devices/v1/authentication/auth_requests";
const INVENTORY = "/api/devices/v1/inventory/device/attributes";
const PROVIDES = { device_provides: { artifact_name: "v1", device_type: "board" } };
const OFFER = { id: "one", artifact: { artifact_name: "v2", source: { uri: "<link 1>" } } };

function session(): DeviceScript {
  return new DeviceScript([
    exchange("POST", AUTH, 401, { id_data: '{"mac":"1"}' }),
    exchange("POST", AUTH, 200, { id_data: '{"mac":"1"}' }),
    exchange("POST", NEXT, 204, PROVIDES),
    exchange("PUT", INVENTORY, 200, []),
    exchange("POST", NEXT, 200, PROVIDES, OFFER),
    exchange("PUT", STATUS, 204, { status: "downloading" }),
    exchange("GET", "<link 1>", 200),
    exchange("PUT", STATUS, 204, { status: "downloading" }),
    exchange("PUT", STATUS, 204, { status: "installing" }),
    exchange("PUT", STATUS, 204, { status: "success" }),
  ]);
}

const poll: ScriptRequest = { kind: "poll", method: "POST", path: NEXT, json: PROVIDES };
const status = (word: string): ScriptRequest => ({
  kind: "status",
  method: "PUT",
  path: STATUS,
  json: { status: word },
});
const download: ScriptRequest = { kind: "download", method: "GET", path: "<link 1>", json: undefined };
const auth: ScriptRequest = { kind: "auth", method: "POST", path: AUTH, json: {} };
const inventory: ScriptRequest = { kind: "inventory", method: "PUT", path: INVENTORY, json: [] };

describe("a device's script", () => {
  const statusOf = (script: DeviceScript, request: ScriptRequest): unknown => {
    const taken = script.take(request);
    return taken.kind === "as" ? taken.line?.answer.status : taken.difference.where;
  };

  test("takes what must come in its order, and the rest whenever it comes", () => {
    const script = session();
    expect(script.identity).toBe('{"mac":"1"}');
    const asked = [auth, auth, auth, inventory, poll, inventory, poll, status("downloading"), download, download];
    expect(asked.map((request) => statusOf(script, request))).toEqual([
      401, 200, 200, 200, 204, 200, 200, 204, 200, 200,
    ]);
    // Repeated to hear of an abort, more or less often than recorded; and a log in before the commit.
    const rest = [status("installing"), status("installing"), auth, status("success"), status("success")];
    expect(rest.map((request) => statusOf(script, request))).toEqual([204, 204, 200, 204, 204]);
    expect(script.next).toBeUndefined();
    expect(statusOf(script, poll)).toBe(204);
  });

  test("does not take what is out of order, or another status, or other provides", () => {
    const script = session();
    expect(statusOf(script, status("downloading"))).toBe("the request");
    expect(statusOf(script, poll)).toBe(204);
    const other = { ...poll, json: { device_provides: { artifact_name: "v9", device_type: "board" } } };
    expect(statusOf(script, other)).toBe("device_provides.artifact_name");
    expect(statusOf(script, poll)).toBe(200);
    expect(statusOf(script, poll)).toBe("the request");
    expect(statusOf(script, download)).toBe("the request");
    expect(statusOf(script, status("downloading"))).toBe(204);
    expect(statusOf(script, status("success"))).toBe("the request");
  });
});
