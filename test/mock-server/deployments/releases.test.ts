import { describe, expect, test } from "vitest";
import { artifact } from "../domain-fixture.ts";
import { Fleet } from "../specification/fleet.ts";

const BY_NAME = { by: "name", order: "asc" } as const;

describe("What people write on a release", () => {
  test("are notes, and tags in lower case, each once, by which it is found", async () => {
    const { releases } = (await Fleet.of(0)).domain;
    await releases.setNotes("release-1", "fixes the\nclock");
    await releases.setTags("release-1", ["Beta", "beta", "x.y"]);
    await releases.setTags("release-2", ["stable"]);
    expect(await releases.get("release-1")).toMatchObject({ notes: "fixes the\nclock", tags: ["beta", "x.y"] });
    expect(await releases.allTags()).toEqual(["beta", "stable", "x.y"]);
    expect(await releases.allTypes()).toEqual(["single-file"]);
    const found = await releases.list({ tags: ["beta", "other"] }, BY_NAME);
    expect(found.items.map(({ name }) => name)).toEqual(["release-1"]);
    await releases.setTags("release-1", []);
    expect((await releases.get("release-1")).tags).toEqual([]);
    await expect(releases.get("release-9")).rejects.toMatchObject({ kind: "not-found" });
  });

  test("is refused if it is out of bounds", async () => {
    const { releases, artifacts } = (await Fleet.of(0)).domain;
    await expect(releases.setNotes("release-1", "é".repeat(513))).rejects.toMatchObject({ kind: "invalid" });
    await expect(releases.setNotes("release-1", "\u0007")).rejects.toMatchObject({ kind: "invalid" });
    await expect(releases.setTags("release-1", ["two words"])).rejects.toMatchObject({ kind: "invalid" });
    const tags = (from: number, count: number) => Array.from({ length: count }, (_, index) => `t${from + index}`);
    await expect(releases.setTags("release-1", tags(0, 21))).rejects.toMatchObject({ kind: "invalid" });
    for (let number = 0; number < 5; number += 1) {
      await artifacts.insert(artifact({ id: `b${number}`, name: `more-${number}` }));
      await releases.setTags(`more-${number}`, tags(number * 20, 20));
    }
    await expect(releases.setTags("release-1", ["one-more"])).rejects.toMatchObject({ kind: "conflict" });
    expect((await releases.get("release-1")).tags).toEqual([]);
  });
});

describe("A release that is deleted", () => {
  test("goes with its artifacts and words, but not while a deployment of it is open", async () => {
    const fleet = await Fleet.of(1);
    const { releases, deployments } = fleet.domain;
    await releases.setTags("release-1", ["beta"]);
    const id = await fleet.deploy(1);
    await expect(releases.delete(["release-1", "release-2"])).rejects.toMatchObject({
      kind: "conflict",
      details: { deploymentIds: [id] },
    });
    await fleet.go(fleet.at(0), id);
    expect(await releases.delete(["release-1", "release-2", "unknown"])).toEqual(["a1", "a2"]);
    expect((await releases.list({}, BY_NAME)).items.map(({ name }) => name)).toEqual(["release-3"]);
    expect(await releases.allTags()).toEqual([]);
    expect((await deployments.devices(id, undefined)).items).toMatchObject([{ artifact: { id: "a1" } }]);
    await expect(releases.delete([])).rejects.toMatchObject({ kind: "invalid" });
  });
});
