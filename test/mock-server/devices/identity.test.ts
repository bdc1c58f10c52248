import { describe, expect, onTestFinished, test } from "vitest";
import { identityOf, parseIdentity } from "../../../mock-server/devices/identity.ts";
import { openTestDomain, TestDevice } from "../domain-fixture.ts";

describe("An identity", () => {
  test("is the same whatever the order of its keys and the white space", () => {
    expect(parseIdentity('{ "b" : {"y":1, "x":[2, {"d":1,"c":2}]}, "a":"é" }').json).toBe(
      '{"a":"é","b":{"x":[2,{"c":2,"d":1}],"y":1}}',
    );
  });

  test("keeps keys that mean something to a program", () => {
    expect(parseIdentity('{"__proto__":"x","constructor":"y"}').json).toBe('{"__proto__":"x","constructor":"y"}');
  });

  test.each(["", "mac=1", "null", "[]", '"text"', "1", '{"a":'])("is no identity: %s", (idData) => {
    expect(() => parseIdentity(idData)).toThrow("id_data must be a JSON object");
  });

  test("of endless depth is refused", () => {
    const deep = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect(() => parseIdentity(deep)).toThrow("nested deeper than 8 levels");
  });

  test("of an announced device is the one that the device sends", () => {
    expect(identityOf({ sn: 1, mac: "a" }).json).toBe(parseIdentity('{"mac":"a","sn":1}').json);
  });
});

describe("Texts of an identity that a database cannot keep", () => {
  test.each([
    ["NUL", '{"mac":"1","a\\u0000b":"c\\u0000d","a\\ufffdb":"e"}', { mac: "1", "a\ufffdb": "e" }],
    ["half a surrogate pair", '{"mac":"1","\\ud800":["\\udfff"]}', { mac: "1", "\ufffd": ["\ufffd"] }],
    ["a long name", JSON.stringify({ mac: "1", ["\u4e00\u5000".repeat(1000)]: "no index is so wide" }), { mac: "1" }],
  ])("keep no device out: %s", async (_, idData, attributes) => {
    const { domain } = await openTestDomain({ autoAccept: true });
    onTestFinished(() => domain.close());
    const token = await domain.authentication.authorize(new TestDevice(idData).request());
    const { deviceId } = await domain.authentication.verify(token);
    const shown = (await domain.inventory.get(deviceId)).attributes;
    const own = shown.filter(({ scope, name }) => scope === "identity" && name !== "status");
    expect(Object.fromEntries(own.map(({ name, value }) => [name, value]))).toEqual(attributes);
    expect((await domain.devices.get(deviceId)).identityData).toEqual(JSON.parse(idData));
  });
});
