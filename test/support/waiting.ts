import { setTimeout as delay } from "node:timers/promises";

const PAUSE_MS = 50;

/**
 * Ask `question` again and again until it answers with something.
 * For what has no event to wait on: another program's state, seen through its API or its files.
 * @throws Error with `what` and the last answer's text when `limitMs` have passed.
 */
export async function until<T>(
  what: string,
  question: () => Promise<T | undefined> | T | undefined,
  { limitMs = 45_000, explain = () => "" }: { limitMs?: number; explain?: () => string } = {},
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await question();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain: ${what}\n${explain()}`);
    await delay(PAUSE_MS);
  }
}
