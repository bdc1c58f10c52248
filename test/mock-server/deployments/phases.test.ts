import { describe, expect, test } from "vitest";
import { type NewPhase, planPhases } from "../../../mock-server/deployments/phases.ts";
import { fc } from "../../support/fast-check.ts";
import { Fleet, HOUR_MS } from "../specification/fleet.ts";

describe("The sizes of phases", () => {
  test("add up to all devices, whatever the shares: rounding loses nobody", () => {
    const shares = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(shares, fc.integer({ min: 100, max: 1_000_003 }), (percents, devices) => {
        const phases = [
          ...percents.map((batchSize, index): NewPhase => ({ batchSize, startMs: index })),
          { startMs: 9 },
        ];
        const planned = planPhases(phases, devices, false);
        expect(planned.reduce((sum, phase) => sum + phase.places, 0)).toBe(devices);
        expect(planned.reduce((sum, phase) => sum + phase.batchPercent, 0)).toBe(100);
        for (const [index, batchSize] of percents.entries()) {
          expect(planned[index]?.places).toBe(Math.floor((devices * batchSize) / 100));
        }
      }),
    );
  });

  test("give the last all that remain, even if it names a smaller share", () => {
    const planned = planPhases([{ batchSize: 10 }, { batchSize: 20, startMs: 1 }], 10, false);
    expect(planned.map(({ places, batchPercent }) => [places, batchPercent])).toEqual([
      [1, 10],
      [9, 90],
    ]);
  });

  test.each([
    [[{ batchSize: 10 }, { startMs: 1 }], 5, "empty phase"],
    [[{ batchSize: 100 }, { startMs: 1 }], 5, "empty phase"],
    [[{ batchSize: 60 }, { batchSize: 60, startMs: 1 }], 5, "phases: the batch sizes add up to 120 percent"],
    [[{}, { startMs: 1 }], 5, "phases.0.batch_size: cannot be blank"],
    [[{ batchSize: 50 }, {}], 5, "phases.1.start_ts: cannot be blank"],
    [[{ batchSize: 50, startMs: 9 }, { startMs: 8 }], 5, "phases.1.start_ts: must not be before"],
    [[{ batchSize: 0.5 }, { startMs: 1 }], 5, "phases.0.batch_size: must be a whole number"],
    [[{ batchSize: 50, errorThreshold: 101 }, { startMs: 1 }], 5, "phases.0.error_threshold: must be a whole number"],
    [[{ batchSize: 50 }, { startMs: 1, successThreshold: 5 }], 5, "phases.1.success_threshold: there is no phase"],
  ] as const)("are refused: %j of %i devices", (phases, devices, message) => {
    expect(() => planPhases(phases, devices, false)).toThrow(message);
  });

  test("say in the words of the reference that a batch would be empty", () => {
    const phases = [{ batchSize: 50 }, { batchSize: 49, startMs: 1 }, { startMs: 2 }];
    expect(() => planPhases(phases, 2, false)).toThrow(expect.objectContaining({ code: "empty-phase" }));
  });

  test("are all devices if there is a single phase that says nothing", () => {
    const all = { batchPercent: 100, places: 5, startMs: null, successPercent: null, errorPercent: null };
    expect(planPhases([{}], 5, false)).toEqual([all]);
  });
});

describe("A phase", () => {
  test("admits exactly as many as it has places, however many ask at the same time", async () => {
    const fleet = await Fleet.of(30);
    const startMs = fleet.system.nowMs + HOUR_MS;
    const id = await fleet.deploy(1, {
      phases: [{ batchSize: 34 }, { batchSize: 33, startMs }, { startMs: startMs + 1 }],
    });
    const round = async () => {
      const answers = await Promise.all(fleet.devices.flatMap((device) => [fleet.poll(device), fleet.poll(device)]));
      return answers.filter((answer) => answer === id).length / 2;
    };
    expect(await round()).toBe(10);
    fleet.system.nowMs = startMs;
    expect(await round()).toBe(19);
    fleet.system.nowMs = startMs + 1;
    expect(await round()).toBe(30);
    const { phases, deviceCount } = await fleet.domain.deployments.get(id);
    expect(phases.map((phase) => [phase.places, phase.deviceCount])).toEqual([
      [10, 10],
      [9, 9],
      [11, 11],
    ]);
    expect(deviceCount).toBe(30);
  });

  test("has the places that an earlier one left unused, too", async () => {
    const fleet = await Fleet.of(4);
    const startMs = fleet.system.nowMs + HOUR_MS;
    const id = await fleet.deploy(1, {
      phases: [{ batchSize: 50 }, { batchSize: 25, startMs }, { startMs: startMs + 1 }],
    });
    await fleet.poll(fleet.at(0));
    fleet.system.nowMs = startMs;
    const answers = [await fleet.poll(fleet.at(1)), await fleet.poll(fleet.at(2)), await fleet.poll(fleet.at(3))];
    expect(answers).toEqual([id, id, undefined]);
    expect((await fleet.domain.deployments.get(id)).phases.map((phase) => phase.deviceCount)).toEqual([1, 2, 0]);
  });

  test("gives a device that tries again no second place", async () => {
    const fleet = await Fleet.of(4);
    const phases = [{ batchSize: 50 }, { startMs: fleet.system.nowMs + HOUR_MS }];
    const id = await fleet.deploy(1, { phases, retries: 2 });
    for (const _ of [1, 2]) await fleet.go(fleet.at(0), id, "failure");
    await fleet.go(fleet.at(0), id, "success");
    expect(await fleet.poll(fleet.at(1))).toBe(id);
    expect(await fleet.poll(fleet.at(2))).toBeUndefined();
    expect((await fleet.domain.deployments.get(id)).phases[0]?.deviceCount).toBe(2);
  });
});
