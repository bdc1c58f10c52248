import { once } from "node:events";
import { existsSync, watch } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { WAIT_MS } from "./patience.ts";

const PAUSE_MS = 50;

/** Resolves as soon as there is a file at `path`, whose directory must be there. */
export async function appears(path: string): Promise<void> {
  const watcher = watch(dirname(path));
  try {
    while (!existsSync(path)) await once(watcher, "change");
  } finally {
    watcher.close();
  }
}

/**
 * Ask `question` again and again until it answers with something.
 * For what has no event to wait on: another program's state, seen through its API or its files.
 * @throws Error with `what` and the last answer's text when `limitMs` have passed.
 */
export async function until<T>(
  what: string,
  question: () => Promise<T | undefined> | T | undefined,
  { limitMs = WAIT_MS, explain = () => "" }: { limitMs?: number; explain?: () => string } = {},
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await question();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain: ${what}\n${explain()}`);
    await delay(PAUSE_MS);
  }
}
