import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { acceptedDevices, artifact, openTestDomain, PROVIDES, type TestDomain } from "../domain-fixture.ts";

let opened: TestDomain;
beforeEach(async () => {
  opened = await openTestDomain({ autoAccept: true });
});
afterEach(() => opened.domain.close());

const BY_NAME = { by: "name", order: "asc" } as const;

describe("An artifact", () => {
  test("is found again as it was added", async () => {
    const { artifacts } = opened.domain;
    const full = artifact({
      id: "a1",
      description: "first",
      signed: true,
      depends: { "rootfs-image.version": ["1", "2"], kind: "x" },
      provides: { artifact_name: "release-1", __proto__x: "y" },
      clearsProvides: ["rootfs-image.*"],
      sizeBytes: 6 * 1024 ** 3,
    });
    await artifacts.insert(full);
    expect(await artifacts.get("a1")).toEqual(full);
    await expect(artifacts.get("a2")).rejects.toMatchObject({ kind: "not-found", code: "not-found" });
  });

  test.each([
    ["no name", { name: "" }, "the artifact name must have 1 to 4096 characters"],
    ["no device type", { deviceTypes: [] }, "an artifact is for 1 to 200 device types, this one for 0"],
    ["many device types", { deviceTypes: Array.from({ length: 201 }, (_, index) => `t${index}`) }, "this one for 201"],
    ["an empty device type", { deviceTypes: ["x", ""] }, "a device type must have 1 to 4096 characters"],
    ["a long description", { description: "d".repeat(4097) }, "description: must have at most 4096 characters"],
    ["a key without values", { depends: { a: [] } }, 'depends: "a" must have a value'],
    [
      "many combinations",
      { depends: Object.fromEntries("abcde".split("").map((key) => [key, "0123456789".split("")])) },
      "depends: must have at most 10000 combinations of values, not 100000",
    ],
  ])("is refused with %s", async (_, change, message) => {
    await expect(opened.domain.artifacts.insert(artifact({ id: "a1", ...change }))).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining(message),
    });
    expect((await opened.domain.artifacts.list({}, BY_NAME)).total).toBe(0);
  });

  test("of a release is refused beside another for some of the same devices, and told which", async () => {
    const { artifacts } = opened.domain;
    const depends = { "rootfs-image.version": ["1", "2"] };
    await artifacts.insert(artifact({ id: "a1", deviceTypes: ["arm1", "arm2"], depends }));
    await expect(
      artifacts.insert(
        artifact({ id: "a2", deviceTypes: ["arm2", "arm3"], depends: { "rootfs-image.version": ["3", "2"] } }),
      ),
    ).rejects.toMatchObject({
      kind: "conflict",
      code: "artifact-exists",
      details: {
        artifactId: "a1",
        artifactName: "release-1",
        depends: { device_type: "arm2", "rootfs-image.version": "2" },
      },
    });
    await artifacts.insert(artifact({ id: "a3", deviceTypes: ["arm4"], depends }));
    await artifacts.insert(artifact({ id: "a4", deviceTypes: ["arm2"], depends: { "rootfs-image.version": "3" } }));
    await artifacts.insert(artifact({ id: "a5", deviceTypes: ["arm2"] }));
    await artifacts.insert(artifact({ id: "a6", name: "release-2", deviceTypes: ["arm2"], depends }));
  });

  test("with an id that is taken is refused", async () => {
    const { artifacts } = opened.domain;
    await artifacts.insert(artifact({ id: "a1" }));
    await expect(artifacts.insert(artifact({ id: "a1", name: "other" }))).rejects.toMatchObject({ kind: "conflict" });
  });

  test("can be described anew until it is part of a deployment", async () => {
    const { artifacts, deployments } = opened.domain;
    await artifacts.insert(artifact({ id: "a1" }));
    opened.system.nowMs += 1000;
    await artifacts.setDescription("a1", "better");
    expect(await artifacts.get("a1")).toMatchObject({ description: "better", modifiedMs: opened.system.nowMs });
    await expect(artifacts.setDescription("none", "x")).rejects.toMatchObject({ kind: "not-found" });
    await expect(artifacts.setDescription("a1", "d".repeat(4097))).rejects.toMatchObject({ kind: "invalid" });
    const devices = await acceptedDevices(opened.domain, 1);
    await deployments.create({ name: "n", artifactName: "release-1", devices });
    await expect(artifacts.setDescription("a1", "late")).rejects.toMatchObject({ kind: "unprocessable" });
  });

  test("is not deleted while a deployment of its release is unfinished; afterwards, its deployments still tell of it", async () => {
    const { artifacts, deployments, deviceSide } = opened.domain;
    await artifacts.insert(artifact({ id: "a1" }));
    const [device = ""] = await acceptedDevices(opened.domain, 1);
    const id = await deployments.create({ name: "n", artifactName: "release-1", devices: [device] });
    await deviceSide.next(device, PROVIDES);
    await expect(artifacts.delete("a1")).rejects.toMatchObject({
      kind: "conflict",
      code: "artifact-in-use",
    });
    await deviceSide.report(device, id, "success");
    await artifacts.delete("a1");
    await expect(artifacts.get("a1")).rejects.toMatchObject({ kind: "not-found" });
    await expect(artifacts.delete("a1")).rejects.toMatchObject({ kind: "not-found" });
    expect((await artifacts.list({}, BY_NAME)).total).toBe(0);
    expect((await artifacts.releases({}, BY_NAME)).total).toBe(0);
    expect((await deployments.devices(id, undefined)).items).toMatchObject([{ artifact: { id: "a1" } }]);
    await expect(
      deployments.create({ name: "again", artifactName: "release-1", devices: [device] }),
    ).rejects.toMatchObject({ kind: "unprocessable" });
    await artifacts.insert(artifact({ id: "a2" }));
  });

  test("that was never deployed is gone when it is deleted, and its id free", async () => {
    const { artifacts } = opened.domain;
    await artifacts.insert(artifact({ id: "a1" }));
    await artifacts.delete("a1");
    await artifacts.insert(artifact({ id: "a1" }));
  });
});

describe("Lists", () => {
  beforeEach(async () => {
    const { artifacts } = opened.domain;
    await artifacts.insert(
      artifact({ id: "a1", name: "App-1", modifiedMs: 3, deviceTypes: ["Pi4"], description: "it's 50% faster" }),
    );
    await artifacts.insert(artifact({ id: "a2", name: "App-1", modifiedMs: 4, deviceTypes: ["bbb"] }));
    await artifacts.insert(
      artifact({
        id: "a3",
        name: "rootfs*",
        modifiedMs: 2,
        deviceTypes: ["pi4", "pi5"],
        payloads: [{ type: "rootfs-image", files: [] }],
      }),
    );
    await artifacts.insert(artifact({ id: "a4", name: "App-2", modifiedMs: 1, deviceTypes: ["pi4x"] }));
  });

  test.each([
    [{}, ["a1", "a2", "a4", "a3"]],
    [{ name: { kind: "exact", values: ["App-1", "App-2"] } }, ["a1", "a2", "a4"]],
    [{ name: { kind: "exact", values: [] } }, []],
    [{ name: { kind: "exact", values: ["app-1"] } }, []],
    [{ name: { kind: "prefix", value: "App" } }, ["a1", "a2", "a4"]],
    [{ name: { kind: "prefix", value: "rootfs*" } }, ["a3"]],
    [{ name: { kind: "prefix", value: "%" } }, []],
    [{ name: { kind: "contains", value: "aPP" } }, ["a1", "a2", "a4"]],
    [{ name: { kind: "contains", value: "_" } }, []],
    [{ name: { kind: "contains", value: "%' or '1'='1" } }, []],
    [{ description: { kind: "contains", value: "IT'S 50%" } }, ["a1"]],
    [{ deviceType: { kind: "contains", value: "pi4" } }, ["a1", "a4", "a3"]],
    [{ deviceType: { kind: "exact", values: ["pi4"] } }, ["a3"]],
    [{ deviceType: { kind: "prefix", value: "pi" } }, ["a4", "a3"]],
  ] as const)("of artifacts are filtered: %o", async (filter, ids) => {
    const { items, total } = await opened.domain.artifacts.list(filter, BY_NAME);
    expect(items.map(({ id }) => id)).toEqual(ids);
    expect(total).toBe(ids.length);
  });

  test("of artifacts are sorted and come by pages", async () => {
    const { artifacts } = opened.domain;
    const page = await artifacts.list({}, { by: "modified", order: "desc" }, { page: 2, perPage: 3 });
    expect(page).toMatchObject({ items: [{ id: "a4" }], total: 4 });
  });

  test.each([
    [{}, ["App-1", "App-2", "rootfs*"]],
    [{ name: { kind: "contains", value: "app" } }, ["App-1", "App-2"]],
    [{ deviceType: { kind: "exact", values: ["bbb"] } }, ["App-1"]],
    [{ payloadType: { kind: "exact", values: ["rootfs-image"] } }, ["rootfs*"]],
    [{ description: { kind: "contains", value: "faster" } }, ["App-1"]],
  ] as const)("of releases are filtered, and a release is shown whole: %o", async (filter, names) => {
    const { items, total } = await opened.domain.artifacts.releases(filter, BY_NAME);
    expect(items.map(({ name }) => name)).toEqual(names);
    expect(total).toBe(names.length);
    for (const release of items) {
      expect(release.artifacts).toHaveLength(release.artifactCount);
      expect(release.artifactCount).toBe(release.name === "App-1" ? 2 : 1);
    }
  });

  test("of releases are sorted and come by pages", async () => {
    const { artifacts } = opened.domain;
    const names = async (by: "name" | "modified" | "artifacts_count", order: "asc" | "desc") =>
      (await artifacts.releases({}, { by, order })).items.map(({ name }) => name);
    expect(await names("modified", "desc")).toEqual(["App-1", "rootfs*", "App-2"]);
    expect(await names("artifacts_count", "asc")).toEqual(["App-2", "rootfs*", "App-1"]);
    expect(await names("name", "desc")).toEqual(["rootfs*", "App-2", "App-1"]);
    const page = await artifacts.releases({}, BY_NAME, { page: 2, perPage: 2 });
    expect(page).toMatchObject({ items: [{ name: "rootfs*", modifiedMs: 2 }], total: 3 });
  });
});
