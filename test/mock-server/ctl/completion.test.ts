import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describePeer } from "../../interop/peers.ts";
import { Operator } from "./operator.ts";

let operator: Operator;

beforeAll(async () => {
  operator = new Operator();
  for (const shell of ["bash", "zsh", "fish"]) {
    writeFileSync(join(operator.home, shell), await operator.output("completion", shell));
  }
  writeFileSync(join(operator.home, "release.mender"), "");
});

afterAll(() => operator.remove());

function output(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: operator.home, encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

/** The words that bash offers for the last one. */
function inBash(...words: readonly string[]): readonly string[] {
  const script = `source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _upkeepctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return output("bash", ["-c", script, "bash", ...words])
    .trim()
    .split("\n");
}

function inFish(line: string): readonly string[] {
  return output("fish", ["--no-config", "-c", `source ./fish; complete -C ${JSON.stringify(line)}`])
    .trim()
    .split("\n")
    .map((offer) => offer.split("\t")[0] ?? "");
}

const CASES: readonly (readonly [words: readonly string[], offers: readonly string[]])[] = [
  [
    ["upkeepctl", "dep"],
    ["deploy", "deployments"],
  ],
  [
    ["upkeepctl", "devices", "l"],
    ["list", "log"],
  ],
  [["upkeepctl", "deploy", "v1", "--ph"], ["--phases"]],
  [
    ["upkeepctl", "devices", "list", "--status", "p"],
    ["pending", "preauthorized"],
  ],
  [["upkeepctl", "deployments", "list", "--status", "f"], ["finished"]],
  [
    ["upkeepctl", "completion", ""],
    ["bash", "fish", "zsh"],
  ],
  [["upkeepctl", "devices", "list", "--token", "rel"], ["release.mender"]],
];

describe("the completion of bash", () => {
  test.each(CASES)("%j", (words, offers) => {
    expect([...inBash(...words)].sort()).toEqual(offers);
  });

  test("offers files to upload", () => {
    expect(inBash("upkeepctl", "releases", "upload", "rel")).toEqual(["release.mender"]);
  });
});

describePeer(["fish"], "the completion of fish", () => {
  test.each(CASES)("%j", (words, offers) => {
    expect([...inFish(words.join(" "))].sort()).toEqual(offers);
  });
});

describePeer(["zsh"], "the completion of zsh", () => {
  test("is a function that zsh can read", () => {
    output("zsh", ["-f", "-n", "zsh"]);
  });
});
