import { expect, test } from "vitest";
import { GroupCommit, type GroupCommitPort } from "../../../mock-server/storage/engines/group-commit.ts";
import type { Work } from "../../../mock-server/storage/engines/records-engine.ts";

/** A disk that syncs when it is told to, and writes down what it is asked for. */
class Disk implements GroupCommitPort {
  readonly log: string[] = [];
  readonly #syncs: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  failsToCommit = false;

  async begin(): Promise<void> {
    this.log.push("begin");
  }

  attempt<T>(work: Work<T>): Promise<T> {
    // The records play no part here.
    return work(undefined as never);
  }

  async commit(): Promise<void> {
    if (this.failsToCommit) throw new Error("no space");
    this.log.push("commit");
  }

  async rollback(): Promise<void> {
    this.log.push("rollback");
  }

  sync(): Promise<void> {
    this.log.push("sync");
    return new Promise((resolve, reject) => this.#syncs.push({ resolve, reject }));
  }

  finishSync(error?: Error): void {
    const sync = this.#syncs.shift();
    if (error === undefined) sync?.resolve();
    else sync?.reject(error);
  }

  write(writes: GroupCommit, name: string): Promise<void> {
    return writes
      .run(async () => void this.log.push(name))
      .then(
        () => void this.log.push(`${name} told`),
        (error: Error) => void this.log.push(`${name} refused: ${error.message}`),
      );
  }
}

/** Everything that can happen without the disk has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("What is asked for together shares a transaction and a sync, and is told after it", async () => {
  const disk = new Disk();
  const writes = new GroupCommit(disk);
  const all = [disk.write(writes, "a"), disk.write(writes, "b")];
  await settled();
  expect(disk.log).toEqual(["begin", "a", "b", "commit", "sync"]);
  disk.finishSync();
  await Promise.all(all);
  expect(disk.log.slice(5)).toEqual(["a told", "b told"]);
});

test("While the disk is busy the next group is done, and committed only when the disk is ready", async () => {
  const disk = new Disk();
  const writes = new GroupCommit(disk);
  const all = [disk.write(writes, "a")];
  await settled();
  all.push(disk.write(writes, "b"));
  await settled();
  all.push(disk.write(writes, "c"));
  await settled();
  expect(disk.log).toEqual(["begin", "a", "commit", "sync", "begin", "b", "c"]);
  disk.finishSync();
  await settled();
  expect(disk.log.slice(7)).toEqual(["a told", "commit", "sync"]);
  disk.finishSync();
  await Promise.all(all);
  expect(disk.log.slice(10)).toEqual(["b told", "c told"]);
});

test("A refusal is told after the sync too: it may rest on what another write has done", async () => {
  const disk = new Disk();
  const writes = new GroupCommit(disk);
  const refused = writes
    .run(() => Promise.reject(new Error("taken")))
    .catch((error: Error) => disk.log.push(error.message));
  await settled();
  expect(disk.log).toEqual(["begin", "commit", "sync"]);
  disk.finishSync();
  await refused;
  expect(disk.log.at(-1)).toBe("taken");
});

test("If the transaction cannot be committed, all of its writes are refused, and the next ones are tried", async () => {
  const disk = new Disk();
  const writes = new GroupCommit(disk);
  disk.failsToCommit = true;
  await Promise.all([disk.write(writes, "a"), disk.write(writes, "b")]);
  expect(disk.log).toEqual(["begin", "a", "b", "rollback", "a refused: no space", "b refused: no space"]);
  disk.failsToCommit = false;
  const next = disk.write(writes, "c");
  await settled();
  disk.finishSync();
  await next;
  expect(disk.log.at(-1)).toBe("c told");
});

test("After a sync has failed, nothing is acknowledged any more, and nothing is told to be there", async () => {
  const disk = new Disk();
  const writes = new GroupCommit(disk);
  const first = disk.write(writes, "a");
  await settled();
  const second = disk.write(writes, "b");
  await settled();
  const read = writes.durable();
  disk.finishSync(new Error("input/output error"));
  await Promise.all([first, second]);
  await expect(read).rejects.toThrow("input/output error");
  await disk.write(writes, "c");
  expect(disk.log.filter((line) => line.includes("told"))).toEqual([]);
  expect(disk.log.filter((line) => line.includes("refused"))).toHaveLength(3);
  await writes.idle();
});

test("A group is bounded: who came first does not wait for all who came later", async () => {
  const disk = new Disk();
  const writes = new GroupCommit(disk);
  const all = Array.from({ length: 100 }, (_, index) => disk.write(writes, `w${index}`));
  await settled();
  expect(disk.log.indexOf("commit")).toBe(65);
  disk.finishSync();
  await settled();
  disk.finishSync();
  await Promise.all(all);
  expect(disk.log.filter((line) => line.endsWith("told"))).toHaveLength(100);
});
