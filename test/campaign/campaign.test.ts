import { expect, test } from "vitest";
import { Trace } from "../../mock-server/scenarios/simulation/index.ts";
import { givingUpWithoutRoom, journalAfterTheAct, leavingOutPrograms } from "./broken.ts";
import { exhaust, newCount, replayCut } from "./exhaustive.ts";
import { live } from "./life.ts";
import { campaignPaths } from "./paths.ts";
import { RandomRuns } from "./random.ts";
import { newWorld, prepare } from "./world.ts";

const paths = campaignPaths();
const pathNamed = (name: string) => {
  const path = paths.find((one) => one.name === name);
  if (path === undefined) throw new Error(`there is no path ${name}`);
  return path;
};

test("every path comes to its end without any power cut, and no two paths have the same name", async () => {
  for (const path of paths) {
    const { violations } = await live(newWorld(await prepare(path)));
    expect({ path: path.name, violations }).toEqual({ path: path.name, violations: [] });
  }
  expect(new Set(paths.map(({ name }) => name)).size).toBe(paths.length);
});

test.each([
  "no reboot: success",
  "two slots: success",
  "module reboots: ArtifactCommit fails",
  "rootfs-image: ArtifactCommit_Enter fails",
  "no reboot: by hand, rollback",
  "no reboot: two deployments, the first one aborted",
  "no reboot: two files, replaced",
  "no reboot: ArtifactInstall fills the disk",
  "no reboot: out of inodes",
  "no reboot: noexec",
])("power cut before and after every call, in every way: %s", async (name) => {
  const total = newCount();
  await exhaust(pathNamed(name), total, { enough: () => false, depth: 1 });
  expect(total).toMatchObject({ paths: 1, violations: [] });
  // Each world that a cut can leave is lived through at least once.
  expect(total.cuts).toBeGreaterThan(total.worlds);
  expect(total.worlds).toBeGreaterThan(60);
});

test.each(["two slots: adaptive, torn slot", "rootfs-image: adaptive, torn slot"])(
  "power cut before and after every call, with one fate for all that was not synced: %s",
  async (name) => {
    const total = newCount();
    await exhaust(pathNamed(name), total, { enough: () => false, depth: 1, oneFate: true });
    expect(total).toMatchObject({ paths: 1, violations: [] });
    expect(total.cuts).toBeGreaterThan(total.worlds);
  },
);

test("everything at once, for many seeds", async () => {
  const total = newCount();
  const random = new RandomRuns(paths);
  for (let run = 0; run < 100; run++) await random.run(`test-${run}`, total);
  expect(total.violations).toEqual([]);
  expect(total.cuts).toBeGreaterThan(100);
});

test("a journal that is written after the act is found out, and its seed shows the same again", async () => {
  const total = newCount();
  const enough = (): boolean => total.violations.length > 0;
  const path = pathNamed("no reboot: success");
  await exhaust(path, total, { enough, depth: 2, wrapStore: journalAfterTheAct });
  const [violation] = total.violations;
  expect(violation?.places?.length).toBeGreaterThan(0);
  const again = await replayCut(violation?.seed ?? "", paths, { wrapStore: journalAfterTheAct });
  expect(again?.violations).toEqual(violation?.what);
});

test.each([
  [
    "a store that has found no room once does not try again",
    "ArtifactInstall fills the disk",
    { wrapStore: givingUpWithoutRoom },
  ],
  ["what cannot be run is left out", "noexec", { wrapSystem: leavingOutPrograms }],
])("a planted mistake is found: %s", async (_, path, mistake) => {
  const { violations } = await live(newWorld(await prepare(pathNamed(`no reboot: ${path}`))), mistake);
  expect(violations).not.toEqual([]);
});

test("a seed replays the same run, event by event", async () => {
  const run = async (seed: string) => {
    const trace = new Trace();
    await new RandomRuns(paths).run(seed, newCount(), { trace });
    return trace;
  };
  const first = await run("replay");
  const again = await run("replay");
  expect(again.lines).toEqual(first.lines);
  expect(again.hash()).toBe(first.hash());
  expect((await run("another")).hash()).not.toBe(first.hash());
});
