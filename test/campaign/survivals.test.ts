import { expect, test } from "vitest";
import { EveryCombination } from "./survivals.ts";

const WRITE = { kind: "write", offset: 0, data: new Uint8Array(10) } as const;

test("every combination of answers is given once, also where an answer decides what is asked next", () => {
  const every = new EveryCombination();
  const lives: string[] = [];
  do {
    const named = every.name();
    const answers: unknown[] = [named];
    if (named) answers.push(every.write(WRITE), every.mode());
    lives.push(JSON.stringify(answers));
  } while (every.next());
  // No name: nothing more is asked. A name: four fates of the write, with either mode.
  expect(lives).toHaveLength(1 + 4 * 2);
  expect(new Set(lives).size).toBe(lives.length);
});

test("a life differs from the one before from the first other answer on", () => {
  const every = new EveryCombination();
  const differs: boolean[][] = [];
  do {
    const life = [every.differs];
    every.name();
    life.push(every.differs);
    every.name();
    differs.push([...life, every.differs]);
  } while (every.next());
  expect(differs).toEqual([
    [true, true, true],
    [false, false, true],
    [false, true, true],
    [false, false, true],
  ]);
});

test("each branch can be followed again", () => {
  const every = new EveryCombination();
  do {
    const answers = [every.name(), every.write(WRITE)];
    const again = new EveryCombination();
    again.follow(every.branch);
    expect([again.name(), again.write(WRITE)]).toEqual(answers);
  } while (every.next());
});
