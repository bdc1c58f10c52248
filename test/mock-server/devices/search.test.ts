import { describe, expect, test } from "vitest";
import type { DeviceSearch, FilterTerm } from "../../../mock-server/domain.ts";
import { ALL, Fleet } from "../specification/fleet.ts";

async function fleet() {
  const made = await Fleet.of(4);
  const [a, b, c, d] = made.devices as [string, string, string, string];
  await made.tell(a, { cpus: 4, kernel: "6.1", name: "Alpha" });
  await made.tell(b, { cpus: 2, kernel: "5.10" });
  await made.tell(c, { cpus: 4, kernel: "6.6" });
  const found = async (search: DeviceSearch, paging = ALL) => {
    const { items, total } = await made.domain.inventory.search(search, paging);
    return { names: items.map(({ id }) => "abcd"[made.devices.indexOf(id)]).join(""), total };
  };
  return { ...made, domain: made.domain, fleet: made, a, b, c, d, found };
}

const cpus = (type: FilterTerm["type"], value: FilterTerm["value"]): FilterTerm => ({
  scope: "inventory",
  attribute: "cpus",
  type,
  value,
});

describe("A search", () => {
  test("finds the devices that meet all conditions, by the page", async () => {
    const { found } = await fleet();
    const kernel6: FilterTerm = { scope: "inventory", attribute: "kernel", type: "$regex", value: "^6" };
    expect(await found({ terms: [cpus("$eq", 4), kernel6] })).toMatchObject({ total: 2 });
    const sort = [{ scope: "inventory", attribute: "kernel", order: "asc" }] as const;
    expect(await found({ terms: [cpus("$gte", 2)], sort }, { page: 2, perPage: 2 })).toEqual({ names: "c", total: 3 });
    expect(await found({ terms: [cpus("$gte", 2)], sort }, { page: 9, perPage: 2 })).toEqual({ names: "", total: 3 });
  });

  test("sorts by several attributes; devices without one come first, or last", async () => {
    const { found } = await fleet();
    const by = (attribute: string, order: "asc" | "desc") => ({ scope: "inventory", attribute, order }) as const;
    expect((await found({ sort: [by("cpus", "asc"), by("kernel", "desc")] })).names).toBe("dbca");
    expect((await found({ sort: [by("cpus", "desc"), by("kernel", "asc")] })).names).toBe("acbd");
  });

  test("knows identity, tags, groups, times and the latest deployment of a device", async () => {
    const { found, domain, fleet: own, a, b } = await fleet();
    await domain.tags.put(a, [{ name: "site", value: "berlin" }], { replace: true });
    await domain.groups.assign(b, "lab");
    const id = await own.deploy(1, { devices: [b] });
    await own.go(b, id, "failure");
    const one = (scope: FilterTerm["scope"], attribute: string, type: FilterTerm["type"], value: FilterTerm["value"]) =>
      found({ terms: [{ scope, attribute, type, value }] });
    expect((await one("identity", "mac", "$eq", "02:00:00:00:00:3")).names).toBe("d");
    expect((await one("identity", "id", "$in", [a, b])).total).toBe(2);
    expect((await one("identity", "id", "$eq", a)).names).toBe("a");
    expect((await one("identity", "status", "$eq", "accepted")).total).toBe(4);
    expect((await one("identity", "status", "$eq", "nonsense")).total).toBe(0);
    expect((await one("tags", "site", "$eq", "berlin")).names).toBe("a");
    expect((await one("system", "group", "$eq", "lab")).names).toBe("b");
    expect((await one("system", "group", "$exists", false)).total).toBe(3);
    expect((await one("system", "latest_deployment_status", "$eq", "failure")).names).toBe("b");
    expect((await one("system", "created_ts", "$lte", "2027-01-01T00:00:00Z")).total).toBe(4);
    expect((await one("system", "created_ts", "$lt", "2027-01-01T00:00:00Z")).total).toBe(0);
    expect((await one("monitor", "alerts", "$exists", true)).total).toBe(0);
  });

  test("looks for text in any value, and among the ids that are given", async () => {
    const { found, a, b } = await fleet();
    expect((await found({ text: "ALPHA" })).names).toBe("a");
    expect((await found({ text: a.slice(0, 12).toUpperCase() })).names).toBe("a");
    expect((await found({ ids: [b, a], terms: [cpus("$eq", 2)] })).names).toBe("b");
    expect((await found({ ids: [] })).total).toBe(0);
  });

  test("tells characters apart that SQLite takes for one", async () => {
    const { found, fleet: own, c, d } = await fleet();
    await own.tell(c, { kernel: "\ufffd" });
    await own.tell(d, { kernel: "\uffff" });
    expect((await found({ text: "\uffff" })).names).toBe("d");
    expect((await found({ text: "\ufffd" })).names).toBe("c");
  });

  test("shows the attributes that are asked for", async () => {
    const { domain, a } = await fleet();
    const select = [{ scope: "inventory", attribute: "kernel" }] as const;
    const { items } = await domain.inventory.search({ ids: [a], select }, ALL);
    expect(items[0]?.attributes.map(({ scope, name }) => `${scope}/${name}`)).toEqual([
      "inventory/kernel",
      "system/updated_ts",
    ]);
  });

  test("reads many devices in several goes", async () => {
    const many = await Fleet.of(0);
    for (let index = 0; index < 520; index += 1) await many.domain.devices.preauthorize({ n: index }, KEY);
    const n: FilterTerm = { scope: "identity", attribute: "n", type: "$gte", value: 10 };
    const sort = [{ scope: "identity", attribute: "n", order: "desc" }] as const;
    const { items, total } = await many.domain.inventory.search({ terms: [n], sort }, { page: 1, perPage: 1 });
    expect(total).toBe(510);
    expect(items[0]?.attributes).toContainEqual(expect.objectContaining({ name: "n", value: 519 }));
  });
});

const KEY = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`;

test("Attributes are counted, the most frequent first", async () => {
  const { domain } = await fleet();
  const names = await domain.inventory.attributeNames();
  expect(names).toContainEqual({ scope: "inventory", name: "cpus", count: 3 });
  expect(names).toContainEqual({ scope: "identity", name: "status", count: 4 });
  expect(names.at(-1)).toEqual({ scope: "inventory", name: "name", count: 1 });
});

describe("Tags", () => {
  test("are replaced or merged, and changed only if nobody else did in between", async () => {
    const { domain, a } = await fleet();
    const { tags, inventory } = domain;
    const told = async () =>
      (await inventory.get(a)).attributes
        .filter(({ scope }) => scope === "tags")
        .map(({ name, value }) => [name, value]);
    expect(await tags.etag(a)).toBeUndefined();
    const first = await tags.put(a, [{ name: "x", value: "1" }], { replace: true });
    const second = await tags.put(a, [{ name: "y", value: "2" }], { replace: false, ifMatch: first ?? "" });
    expect(await told()).toEqual([
      ["x", "1"],
      ["y", "2"],
    ]);
    expect(second).not.toBe(first);
    expect(await tags.etag(a)).toBe(second);
    await expect(tags.put(a, [], { replace: true, ifMatch: first ?? "" })).rejects.toMatchObject({
      kind: "precondition-failed",
    });
    await tags.put(a, [], { replace: true });
    expect(await told()).toEqual([]);
    expect(await tags.put("nobody", [], { replace: true })).toBeUndefined();
  });

  test("are at most twenty", async () => {
    const { domain, a } = await fleet();
    const many = Array.from({ length: 20 }, (_, index) => ({ name: `t${index}`, value: "" }));
    await domain.tags.put(a, many, { replace: true });
    await expect(domain.tags.put(a, [{ name: "more", value: "" }], { replace: false })).rejects.toMatchObject({
      kind: "invalid",
    });
    await expect(domain.tags.put(a, [{ name: "", value: "" }], { replace: true })).rejects.toMatchObject({
      kind: "invalid",
    });
  });
});
