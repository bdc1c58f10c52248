import { describeMismatch, mismatches } from "@upkeep/shared/compatibility";
import { expect, test } from "vitest";

const device = { device_type: "beaglebone", artifact_name: "release-1", "rootfs-image.version": "1.0" };

test("one of the wanted values is enough, and a single value may stand without a list", () => {
  expect(mismatches({ device_type: ["raspberrypi", "beaglebone"], "rootfs-image.version": "1.0" }, device)).toEqual([]);
});

test("an artifact without depends fits every device", () => {
  expect(mismatches({}, {})).toEqual([]);
});

test("values are compared exactly, case included", () => {
  expect(mismatches({ device_type: ["BeagleBone"] }, device)).toEqual([
    { key: "device_type", wanted: ["BeagleBone"], provided: "beaglebone" },
  ]);
});

test("a key that the device does not provide is a mismatch, also when every object has it", () => {
  expect(mismatches({ toString: ["x"], other: ["y"] }, device).map(({ key, provided }) => [key, provided])).toEqual([
    ["other", undefined],
    ["toString", undefined],
  ]);
});

test("an empty list of wanted values can be met by nothing", () => {
  expect(mismatches({ device_type: [] }, device)).toHaveLength(1);
});

test("a mismatch names the key, what is needed and what is there", () => {
  const [first, second] = mismatches({ device_type: ["a", "b"], missing: "c" }, device);
  expect(first && describeMismatch(first)).toBe(
    'device_type: the artifact needs one of "a", "b", the device provides "beaglebone"',
  );
  expect(second && describeMismatch(second)).toBe('missing: the artifact needs "c", the device provides nothing');
});
