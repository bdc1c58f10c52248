import { getEventListeners } from "node:events";
import { LinkedController } from "@upkeep/shared/system";
import { describe, expect, test } from "vitest";

describe("a linked controller", () => {
  test("is aborted with the other signal, for its reason", () => {
    const other = new AbortController();
    const { signal } = new LinkedController(other.signal);
    expect(signal.aborted).toBe(false);
    other.abort("enough");
    expect(signal.reason).toBe("enough");
  });

  test("is aborted from the beginning if the other signal was", () => {
    expect(new LinkedController(AbortSignal.abort("before")).signal.reason).toBe("before");
  });

  test("is aborted by itself without the other signal, and keeps that reason", () => {
    const other = new AbortController();
    const linked = new LinkedController(other.signal);
    linked.abort("mine");
    other.abort("theirs");
    expect(linked.signal.reason).toBe("mine");
    expect(new LinkedController().signal.aborted).toBe(false);
  });

  test("follows no longer when it was released, and leaves nothing on the other signal", () => {
    const other = new AbortController();
    const linked = new LinkedController(other.signal);
    expect(getEventListeners(other.signal, "abort")).toHaveLength(1);
    linked.release();
    expect(getEventListeners(other.signal, "abort")).toHaveLength(0);
    other.abort();
    expect(linked.signal.aborted).toBe(false);
  });
});
