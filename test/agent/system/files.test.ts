import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readTextFile, replaceFile } from "@upkeep/shared/system";
import { describe, expect, it } from "vitest";
import { linuxFiles as files } from "../../../agent/system/files.ts";
import { canMount, mountTmpfs, unmountAll } from "../../support/mounted.ts";
import { temporaryDirectory } from "./directory.ts";

const directory = temporaryDirectory();
const path = (name: string): string => join(directory, name);

describe("files of the real door", () => {
  it("replaces a file as a whole, with its permissions", async () => {
    writeFileSync(path("a"), "old");
    await replaceFile(files, path("a"), "new", 0o640);
    expect(await readTextFile(files, path("a"), 100)).toBe("new");
    expect(statSync(path("a")).mode & 0o777).toBe(0o640);
    expect((await files.list(directory)).map(({ name }) => name)).toEqual(["a"]);
  });

  it("names the platform's code of a fault", async () => {
    await expect(files.open(path("none"), "read")).rejects.toMatchObject({ name: "SystemError", code: "ENOENT" });
    writeFileSync(path("taken"), "");
    await expect(files.open(path("taken"), "exclusive")).rejects.toMatchObject({ code: "EEXIST" });
    await expect(files.list(path("none"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("knows no status of what is not there, also below a file", async () => {
    writeFileSync(path("file"), "12345");
    expect(await files.status(path("file"))).toMatchObject({ kind: "file", sizeBytes: 5 });
    expect(await files.status(path("nothing"))).toBeUndefined();
    expect(await files.status(path("file/below"))).toBeUndefined();
  });

  it("writes at a position and at the end, and reads back from one", async () => {
    const handle = await files.open(path("positions"), "write");
    await handle.write(Buffer.from("0123456789"));
    await handle.write(Buffer.from("ab"), 4);
    await handle.sync();
    expect(await handle.status()).toMatchObject({ sizeBytes: 10 });
    await handle.close();
    const end = await files.open(path("positions"), "append");
    await end.write(Buffer.from("!"));
    await end.close();
    expect(readFileSync(path("positions"), "utf8")).toBe("0123ab6789!");
    const reading = await files.open(path("positions"), "read");
    const buffer = Buffer.alloc(3);
    expect(await reading.read(buffer, 9)).toBe(2);
    expect(buffer.subarray(0, 2).toString()).toBe("9!");
    await reading.close();
  });

  it("opens what is there to read and write it in place, and creates nothing", async () => {
    writeFileSync(path("in-place"), "0123456789");
    const handle = await files.open(path("in-place"), "update");
    const buffer = Buffer.alloc(4);
    expect(await handle.read(buffer, 2)).toBe(4);
    expect(buffer.toString()).toBe("2345");
    await handle.write(Buffer.from("ab"), 8);
    await handle.close();
    expect(readFileSync(path("in-place"), "utf8")).toBe("01234567ab");
    await expect(files.open(path("not-there"), "update")).rejects.toMatchObject({ code: "ENOENT" });
    expect(await files.status(path("not-there"))).toBeUndefined();
  });

  it("removes a tree without following its links", async () => {
    mkdirSync(path("tree/deep"), { recursive: true });
    mkdirSync(path("kept"));
    writeFileSync(path("kept/file"), "stays");
    symlinkSync(path("kept"), path("tree/deep/link"));
    await files.remove(path("tree"));
    await files.remove(path("tree"));
    expect(await files.status(path("tree"))).toBeUndefined();
    expect(readFileSync(path("kept/file"), "utf8")).toBe("stays");
  });

  it("removes a directory of many files", async () => {
    mkdirSync(path("many/deep"), { recursive: true });
    for (let index = 0; index < 200; index++) writeFileSync(path(`many/deep/${index}`), "");
    await files.remove(path("many"));
    expect(await files.status(path("many"))).toBeUndefined();
  });

  it("syncs many files with one program, and each by itself where that is missing or fails", async () => {
    const many = Array.from({ length: 100 }, (_, index) => path(`sync-${index}`));
    for (const file of many) writeFileSync(file, "");
    const before = process.env.PATH;
    const syncs = path("syncs");
    mkdirSync(path("bin"));
    try {
      for (const end of [`PATH="${before}" exec sync "$@"`, "exit 1"]) {
        writeFileSync(path("bin/sync"), `#!/bin/sh\necho "$1" >> ${syncs}\n${end}\n`, { mode: 0o755 });
        process.env.PATH = `${path("bin")}:${before}`;
        await files.syncFiles(many);
        await files.syncFiles(many.slice(0, 3));
        expect(readFileSync(syncs, "utf8")).toBe("-f\n");
        writeFileSync(syncs, "");
      }
      process.env.PATH = path("nowhere");
      await files.syncFiles(many);
      await expect(files.syncFiles([...many, path("gone")])).rejects.toMatchObject({
        code: "ENOENT",
        message: expect.stringContaining(path("gone")),
      });
    } finally {
      process.env.PATH = before;
    }
  });

  it("lists names in the order of their code units", async () => {
    mkdirSync(path("names"));
    for (const name of ["b", "B", "a", "10", "9"]) writeFileSync(path(`names/${name}`), "");
    expect((await files.list(path("names"))).map(({ name }) => name)).toEqual(["10", "9", "B", "a", "b"]);
  });

  it("tells programs from other files and from directories", async () => {
    writeFileSync(path("program"), "#!/bin/sh\n", { mode: 0o755 });
    writeFileSync(path("text"), "", { mode: 0o644 });
    expect(await files.isExecutable(path("program"))).toBe(true);
    expect(await files.isExecutable(path("text"))).toBe(false);
    expect(await files.isExecutable(directory)).toBe(false);
    expect(await files.isExecutable(path("nothing"))).toBe(false);
  });

  it.runIf(canMount())("says so when there is no room for directories", async () => {
    mountTmpfs(path("full"), "nr_inodes=1");
    try {
      await expect(files.makeDirectory(path("full/a/b"))).rejects.toMatchObject({ code: "ENOSPC" });
    } finally {
      unmountAll();
    }
  });

  it("tells how much may still be written", async () => {
    expect(await files.freeBytes(directory)).toBeGreaterThan(0);
  });
});
