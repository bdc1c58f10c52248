import { expect, test } from "vitest";
import { NodeWorkers } from "../../../mock-server/system/workers.ts";

const workers = new NodeWorkers();

test("A thread answers one question after the other, with what it was given", async () => {
  const program = "module.exports = ({ factor }) => (question) => question * factor;";
  const assistant = workers.start(program, { factor: 7 });
  expect(await Promise.all([1, 2, 3].map((question) => assistant.ask(question)))).toEqual([7, 14, 21]);
  await assistant.end();
  await expect(assistant.ask(4)).rejects.toThrow("the thread has ended");
});

test("A thread whose program fails tells everybody who waits why, and whoever asks later", async () => {
  const assistant = workers.start('module.exports = () => () => { throw new Error("out of order"); };', undefined);
  const asked = [1, 2].map((question) => assistant.ask(question));
  for (const one of asked) await expect(one).rejects.toThrow("out of order");
  await expect(assistant.ask(3)).rejects.toThrow("out of order");
});
