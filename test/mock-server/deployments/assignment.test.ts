import { describe, expect, test } from "vitest";
import { chooseArtifact, isInstalled, sameProvides } from "../../../mock-server/deployments/selection/assignment.ts";
import { artifact } from "../domain-fixture.ts";

const provides = { device_type: "raspberrypi4", artifact_name: "factory", "rootfs-image.version": "5" };

describe("The artifact that a device gets of a release", () => {
  const chosen = (...release: ReturnType<typeof artifact>[]) => chooseArtifact(release, provides)?.id;

  test("is for its device type, exactly, case included", () => {
    const other = artifact({ id: "other", deviceTypes: ["RaspberryPi4", "raspberrypi"] });
    expect(chosen(other)).toBeUndefined();
    expect(chosen(other, artifact({ id: "fits", deviceTypes: ["beaglebone", "raspberrypi4"] }))).toBe("fits");
  });

  test("has every one of its needs met by one of the values that will do", () => {
    expect(chosen(artifact({ id: "a", depends: { "rootfs-image.version": ["4", "5"] } }))).toBe("a");
    expect(chosen(artifact({ id: "a", depends: { "rootfs-image.version": "4" } }))).toBeUndefined();
    expect(chosen(artifact({ id: "a", depends: { "rootfs-image.version": "5", unknown: "1" } }))).toBeUndefined();
    expect(chosen(artifact({ id: "a", depends: { artifact_name: ["factory"] } }))).toBe("a");
  });

  test("cannot widen its device types through its depends", () => {
    const sly = artifact({ id: "sly", deviceTypes: ["other"], depends: { device_type: "raspberrypi4" } });
    expect(chosen(sly)).toBeUndefined();
  });

  test("is the smallest of those that fit, not the smallest of all", () => {
    const tiny = artifact({ id: "tiny", sizeBytes: 1, depends: { "rootfs-image.version": "9" } });
    expect(chosen(tiny, artifact({ id: "big", sizeBytes: 9 }), artifact({ id: "small", sizeBytes: 8 }))).toBe("small");
  });

  test("is the newest of those that fit and are equally small", () => {
    const old = artifact({ id: "old", modifiedMs: 1 });
    const recent = artifact({ id: "recent", modifiedMs: 2 });
    expect(chosen(old, recent)).toBe("recent");
    expect(chosen(recent, old)).toBe("recent");
  });
});

describe("An artifact is installed", () => {
  const candidate = artifact({
    id: "a",
    name: "image",
    provides: { artifact_name: "image", "rootfs-image.version": "5", "rootfs-image.checksum": "c", colour: "red" },
  });
  const running = { device_type: "raspberrypi4", artifact_name: "image" };

  test("if the device reports its name and says nothing of its content", () => {
    expect(isInstalled(candidate, running)).toBe(true);
  });

  test("if the device reports its name and the same content", () => {
    expect(isInstalled(candidate, { ...running, "rootfs-image.version": "5", "rootfs-image.checksum": "c" })).toBe(
      true,
    );
  });

  test("not if the device reports another name, or another checksum or version", () => {
    expect(isInstalled(candidate, { ...running, artifact_name: "image2" })).toBe(false);
    expect(isInstalled(candidate, { ...running, "rootfs-image.version": "4" })).toBe(false);
    expect(isInstalled(candidate, { ...running, "rootfs-image.checksum": "d" })).toBe(false);
  });

  test("whatever else differs", () => {
    expect(isInstalled(candidate, { ...running, colour: "blue" })).toBe(true);
  });
});

test("Provides are the same whatever their order, and different if one is missing or another", () => {
  expect(sameProvides({ a: "1", b: "2" }, { b: "2", a: "1" })).toBe(true);
  expect(sameProvides({ a: "1" }, { a: "1", b: "2" })).toBe(false);
  expect(sameProvides({ a: "1", b: "2" }, { a: "1" })).toBe(false);
  expect(sameProvides({ a: "1" }, { a: "2" })).toBe(false);
  expect(sameProvides({ toString: "1" }, { a: "1" })).toBe(false);
});
