import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAgentRoot } from "../support/agent.ts";
import { type ReadmeCommand, type Rule, readmeCommands, ruleOf, type Treatment } from "./readme-commands.ts";

const ROOT = join(import.meta.dirname, "../..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const COMMANDS = readmeCommands(README);
const LONG_MS = 900_000;

const run = (more: Omit<Extract<Treatment, { kind: "run" }>, "kind"> = {}): Treatment => ({ kind: "run", ...more });
const notRun = (why: string): Treatment => ({ kind: "not-run", why });

/** What the README's reader does between two commands, and what must have come of the one before. */
const BOARD_ASKS = "upkeep bootstrap";
const BOARD_UPDATES = `
board_until "deployment .* succeeded"
[ "$(cat /srv/app/app.conf)" = "greeting = hello" ]
stop_board`;
const UPLOADED =
  'curl -sSf -H "Authorization: Bearer $token" $server/api/management/v1/deployments/artifacts | grep >/dev/null';

/** The first that is for a command counts; a command without a rule is a failure. */
const RULES: readonly Rule[] = [
  { command: /^npm /, treatment: notRun("builds, checks and measures the tree itself: .ci/run does it, or people do") },
  { command: "npx vitest run", treatment: notRun("is how this test is run") },
  { command: /scenario run test\/scenarios/, treatment: notRun("takes minutes; test/scenarios runs each of them") },
  { command: /--attach next/, treatment: notRun("waits for a board on the desk: test/interop/attached.test.ts") },
  { command: /scenario run FILE --real/, treatment: notRun("takes minutes: test/mock-server/scenarios/real") },
  { command: "export UPKEEP_PASSWORD=…", treatment: notRun("the password is the reader's") },
  {
    command: "npx upkeep-server fleet",
    treatment: notRun("keeps all cores busy for minutes: test/mock-server/cli/fleet"),
  },
  { command: "npx upkeep-server move", treatment: notRun("names other machines: test/mock-server/cli/move.test.ts") },
  { command: "npx upkeep-server scenario replay", treatment: notRun("test/mock-server/scenarios/recording") },
  { command: "upkeep setup", treatment: notRun("asks at a terminal: test/agent/cli/setup.test.ts") },
  { command: "upkeep adopt", treatment: notRun("needs an installed Mender client: test/interop/adopt.test.ts") },
  { command: /^npx upkeep-server serve/, treatment: { kind: "server" } },
  { command: "echo 'greeting", treatment: run({ before: BOARD_ASKS }) },
  { command: /^curl .*artifact=@release-1/, treatment: run({ after: `${UPLOADED} release-1` }) },
  { command: /^curl .*"all_devices": true/, treatment: run({ after: BOARD_UPDATES }) },
  { command: "mender-cli --server $server artifacts upload", treatment: run({ after: `${UPLOADED} release-2` }) },
  { command: "upkeep resume", treatment: run({ exits: 2 }) },
  { command: "upkeep check-update", treatment: run({ before: 'board_until "the daemon has started"' }) },
  { command: /^(npx upkeep-server|upkeep|curl|mender-cli|printf|server=|token=)/, treatment: run() },
];

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bPASSWORD\b/g, '"$password"'],
  [/\bFILE\b/g, "scenario.yaml"],
];

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** How a command is run: as it stands, but for what a reader puts in the place of words in capital letters. */
function scriptOf(command: ReadmeCommand): string {
  const { treatment } = ruleOf(command, RULES) ?? { treatment: notRun("") };
  if (treatment.kind === "not-run") return "";
  const text = WORDS.reduce((line, [word, value]) => line.replaceAll(word, value), command.text).replace(/ &$/, "");
  const body =
    treatment.kind === "server"
      ? `serve ${text}`
      : `status=0; ${text.replace(/^curl /, "curl -sSf ").replace("$(curl ", "$(curl -sSf ")} || status=$?\n[ $status = ${treatment.exits ?? 0} ]`;
  const said = `say ${quoted(`README.md:${command.line}: ${command.text}`)}`;
  return [treatment.before ?? "", said, body, treatment.after ?? ""].join("\n");
}

const PRELUDE = `
set -euo pipefail
ip link set lo up
mount -t tmpfs tmpfs /srv
say() { echo ">>> $1"; }
# Starts a server in the place of the one that runs, and waits until it takes connections.
serve() {
  stop_server
  exec 3< <(exec "$@" 2>&1)
  server_pid=$!
  while IFS= read -r line <&3; do
    case $line in
      *"password: "*) password=\${line##*password: } ;;
      *'"listening"'*)
        cat <&3 >>server.log &
        server_output=$!
        return
        ;;
      *) echo "server: $line" ;;
    esac
  done
  echo "the server ended at once"
  return 1
}
stop_server() { [ -z "\${server_pid:-}" ] || { kill $server_pid; wait $server_output; server_pid=; }; }
# Starts the daemon on the board, and waits until it says something.
board_until() {
  exec 4< <(exec upkeep --log-format plain daemon 2>&1)
  board_pid=$!
  while IFS= read -r line <&4; do
    echo "board: $line"
    [[ $line =~ $1 ]] || continue
    cat <&4 >>board.log &
    board_output=$!
    return
  done
  echo "the daemon ended at once"
  return 1
}
stop_board() { [ -z "\${board_pid:-}" ] || { kill $board_pid; wait $board_output; board_pid=; }; }
trap 'stop_board; stop_server' EXIT
`;

/** Flags of `unshare`: a network with nothing in it, and an end for everything that is started. */
const ISOLATED = [
  ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
  ...["--net", "--mount-proc", "--pid", "--fork", "--kill-child"],
];

function missing(): string | undefined {
  const can = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0;
  const lacks = ["mender-cli", "curl", "ip"].find((program) => !can("sh", "-c", `command -v ${program}`));
  if (lacks !== undefined) return `there is no ${lacks}`;
  return can("unshare", ...ISOLATED, "true") ? undefined : "this machine lets no program have a network of its own";
}

const MISSING = missing();
if (MISSING !== undefined) {
  const why = `The commands of the README are not run: ${MISSING}.`;
  if (process.env.CI) throw new Error(why);
  process.stderr.write(`${why}\n`);
}

describe("the shell commands of the README", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-readme-commands-"));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("are run, or it is said why they are not; and every rule is for one of them", () => {
    expect(COMMANDS.length).toBeGreaterThan(40);
    expect(COMMANDS.filter((command) => ruleOf(command, RULES) === undefined)).toEqual([]);
    const used = new Set(COMMANDS.map((command) => ruleOf(command, RULES)));
    expect(RULES.filter((rule) => !used.has(rule))).toEqual([]);
  });

  test("name the server wherever mender-cli would otherwise send the token to its own default host", () => {
    const calls = [...README.matchAll(/mender-cli [a-z-][^`\n]*/g)].map(([call]) => call);
    expect(calls.length).toBeGreaterThan(1);
    for (const call of calls) expect(call).toContain("--server $server");
  });

  const inOrder = MISSING === undefined ? test : test.skip;
  inOrder("do what they say, in their order, in a place without any other network", { timeout: LONG_MS }, () => {
    const bin = join(folder, "bin");
    const work = join(folder, "work");
    const board = join(folder, "board");
    const home = join(folder, "home");
    for (const directory of [bin, work, home]) mkdirSync(directory);
    const executable = (name: string, line: string): void => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`);
      chmodSync(join(bin, name), 0o755);
    };
    const node = quoted(process.execPath);
    executable("npx", `command=$1; shift; exec ${quoted(join(ROOT, "node_modules/.bin"))}/"$command" "$@"`);
    executable("upkeep", `exec ${node} ${quoted(join(ROOT, "agent/bin/upkeep.cjs"))} --root ${quoted(board)} "$@"`);
    symlinkSync(process.execPath, join(bin, "node"));
    createAgentRoot(board, {
      serverUrl: "http://127.0.0.1:8080",
      deviceType: "my-board",
      identity: { mac: "02:00:5e:00:53:01" },
      modules: { "single-file": readFileSync(join(ROOT, "agent/modules/shipped/single-file"), "utf8") },
    });
    const [, scenario = ""] = /```yaml\n(.*?)```/s.exec(README) ?? [];
    writeFileSync(join(work, "scenario.yaml"), scenario);
    const script = [PRELUDE, `cd ${quoted(work)}`, ...COMMANDS.map(scriptOf), 'say "all done"'].join("\n");
    writeFileSync(join(folder, "script.bash"), script);

    const { stdout, stderr, status, error } = spawnSync("unshare", [...ISOLATED, "bash", join(folder, "script.bash")], {
      encoding: "utf8",
      timeout: LONG_MS,
      env: { ...process.env, HOME: home, NO_COLOR: "1", PATH: `${bin}:${process.env.PATH}` },
    });
    const output = `${stdout}${stderr}${error ?? ""}`;
    expect(status, output).toBe(0);
    expect(stdout).toContain(">>> all done");
  });
});
