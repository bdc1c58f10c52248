import { describe, expect, it } from "vitest";
import { quickCommand } from "../../../agent/cli/quick.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { upkeep } from "./device.ts";

const directory = temporaryDirectory();

describe("a plain command line", () => {
  it.each([
    [["daemon"], {}],
    [["--root", "/r", "daemon"], { root: "/r" }],
    [["daemon", "--root=/r", "-c", "/c", "-l", "debug"], { root: "/r", config: "/c", logLevel: "debug" }],
    [["--data", "/d", "--log-format", "json", "show-artifact"], { datastore: "/d", logFormat: "json" }],
    [["-d", "/a", "-d", "/b", "-b", "/f", "show-provides"], { datastore: "/b", fallbackConfig: "/f" }],
    [["--config=a=b", "daemon"], { config: "a=b" }],
    [["install", "a.mender"], {}],
    [["--root", "/r", "install", "--config", "/c", "https://a/b?c=d"], { root: "/r", config: "/c" }],
    [["commit", "--datastore", "/d"], { datastore: "/d" }],
    [["status"], {}],
    [["module", "rootfs-image", "Download", "/tree", "--root=/r"], { root: "/r" }],
  ])("is read at once: %j", (words, options) => {
    expect(quickCommand(words)?.options).toEqual(options);
  });

  it.each([
    [[]],
    [["--help"]],
    [["daemon", "--help"]],
    [["daemon", "now"]],
    [["daemon", "daemon"]],
    [["install"]],
    [["install", ""]],
    [["install", "-x"]],
    [["install", "x", "y"]],
    [["install", "x", "--reboot-exit-code"]],
    [["resume", "--stop-before", "Cleanup"]],
    [["status", "--json"]],
    [["module", "rootfs-image", "Download"]],
    [["module", "other", "Download", "/tree"]],
    [["toString"]],
    [["daemon", "--log-level", "loud"]],
    [["daemon", "--root"]],
    [["daemon", "--root", "--help"]],
    [["daemon", "--root="]],
    [["-c/etc/x", "daemon"]],
    [["daemon", "--passphrase-file", "/p"]],
    [["daemon", "--"]],
  ])("is left to the parser of all command lines if it is anything else: %j", (words) => {
    expect(quickCommand(words)).toBeUndefined();
  });

  it("means the same to both", () => {
    // A word that only the other parser takes, without meaning.
    const quick = upkeep(directory, "show-artifact");
    const other = upkeep(directory, "show-artifact", "--no-help");
    expect(quick.code).toBe(0);
    expect({ ...other, stderr: "" }).toEqual({ ...quick, stderr: "" });
  });

  it.each([
    ["install", "/no such artifact"],
    ["commit"],
    ["module", "rootfs-image", "NeedsArtifactReboot", "/no such tree"],
  ])("gives its words to the command, as the other parser does: %s", (...words) => {
    const quick = upkeep(directory, ...words);
    expect(quick.stdout + quick.stderr).not.toBe("");
    expect(upkeep(directory, ...words, "--no-help")).toEqual(quick);
  });
});
