import { expect, test } from "vitest";
import { fuzz } from "./campaign.ts";

const LIMIT_MS = 300_000;

test(
  "changed artifacts: reader, upload and validate agree, within their bounds",
  async () => {
    const { inputs, accepted, violations } = await fuzz({ seed: "ci", durationMs: 45_000 });
    expect(violations).toEqual([]);
    expect(inputs).toBeGreaterThan(accepted);
  },
  LIMIT_MS,
);

test.each([
  ["a decoder without a bound", "unbounded", "planted:797", /MiB, the bound is/],
  ["a decoder that never ends", "hanging", "planted:57", /it hangs/],
])(
  "the fuzzer finds %s",
  async (_, planted, only, message) => {
    const options = {
      seed: "planted",
      durationMs: LIMIT_MS,
      only,
      planted,
      ways: ["reader"],
      hangsAfterMs: 10_000,
    } as const;
    const { violations } = await fuzz(options);
    expect(violations).toContainEqual(expect.objectContaining({ seed: only, message: expect.stringMatching(message) }));
    expect((await fuzz({ ...options, planted: "none", hangsAfterMs: LIMIT_MS })).violations).toEqual([]);
  },
  LIMIT_MS,
);
