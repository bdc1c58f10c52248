import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ReadmeCommand,
  type Rule,
  readmeCommands,
  ruleOf,
  type Treatment,
  typedCommands,
} from "./readme-commands.ts";

const ROOT = join(import.meta.dirname, "../..");
const LONG_MS = 900_000;

const run = (more: Omit<Extract<Treatment, { kind: "run" }>, "kind"> = {}): Treatment => ({ kind: "run", ...more });
const notRun = (why: string): Treatment => ({ kind: "not-run", why });

/** After the first update the file must be there that the README names. */
const FIRST_UPDATE = `
npx upkeep --root ./my-board status | grep succeeded >/dev/null
cmp README.md my-board/docs/README.md
stop_board`;
/** Another board, which trusts the server with a certificate of its own. */
const BOARD_ASKS = `
install -D upkeep-server-data/tls/certificate.pem "$BOARD/etc/mender/server.pem"
upkeep setup --device-type my-board --server-url https://localhost:8080 --identity serial=0002 \
    --server-cert /etc/mender/server.pem`;
/** A server on the address that the README names, and an artifact that fits the board. */
const SERVER_AND_ARTIFACT = `
serve npx upkeep-server serve --data ./upkeep-data --auto-accept
echo 'greeting = hello' > app.conf
printf /srv/app > dest_dir; printf app.conf > filename; printf 644 > permissions
npx upkeep-server artifact write module-image -T single-file -n release-1 -t my-board \
    -f dest_dir -f filename -f permissions -f app.conf -o release-1.mender`;

interface Document {
  /** Below the root of the tree. */
  readonly path: string;
  /** What its reader has done before: shell commands. */
  readonly before?: string;
}
const DOCUMENTS: readonly Document[] = [
  { path: "README.md" },
  { path: "mock-server/README.md" },
  { path: "agent/README.md", before: SERVER_AND_ARTIFACT },
  { path: "systemd/README.md" },
  { path: "test/README.md" },
  { path: "CONTRIBUTING.md" },
];

/** Documents whose commands another test runs. */
const ELSEWHERE: Readonly<Record<string, string>> = { "systemd/device/README.md": "test/systems/guide.test.ts" };

/** The first that is for a command counts; a command without a rule is a failure. */
const RULES: readonly Rule[] = [
  { command: /^npm /, treatment: notRun("builds, checks and measures the tree itself: .ci/run does it, or people do") },
  { command: "npx vitest run", treatment: notRun("is how this test is run") },
  { command: "npx upkeep-server scenario run test/scenarios ", treatment: notRun("takes minutes: test/scenarios") },
  { command: /--attach next/, treatment: notRun("waits for a board on the desk: test/interop/attached.test.ts") },
  { command: /scenario run FILE --real/, treatment: notRun("takes minutes: test/mock-server/scenarios/real") },
  { command: "export UPKEEP_PASSWORD=…", treatment: notRun("the password is the reader's") },
  {
    command: "npx upkeep-server fleet",
    treatment: notRun("keeps all cores busy for minutes: test/mock-server/cli/fleet"),
  },
  { command: "npx upkeep-server move", treatment: notRun("names other machines: test/mock-server/cli/move.test.ts") },
  { command: "npx upkeep-server scenario replay", treatment: notRun("test/mock-server/scenarios/recording") },
  { command: "upkeep adopt", treatment: notRun("needs an installed Mender client: test/interop/adopt.test.ts") },
  { command: /^npx upkeep-server serve/, treatment: { kind: "server" } },
  { command: /^npx upkeep-server try/, treatment: notRun("goes on until Ctrl-C: test/mock-server/cli/try.test.ts") },
  { command: /^npx upkeep .*daemon$/, treatment: { kind: "daemon" } },
  {
    command: "npx upkeepctl devices list --status pending",
    treatment: run({ before: `${BOARD_ASKS}\n! upkeep bootstrap` }),
  },
  { command: "npx upkeepctl devices accept", treatment: run({ after: "upkeep bootstrap" }) },
  { command: "npx upkeepctl login", treatment: run({ before: 'export UPKEEP_PASSWORD="$password"' }) },
  { command: /^npx upkeepctl deploy .*--file README\.md/, treatment: run({ after: FIRST_UPDATE }) },
  { command: "mender-cli --server $server artifacts upload", treatment: run() },
  { command: "curl -N -m 1", treatment: run({ exits: 28 }) },
  { command: "UPKEEP_PASSWORD=PASSWORD upkeepctl login", treatment: run() },
  {
    command: "upkeepctl deploy release-2 --to all --yes --wait",
    treatment: run({
      before: `upkeep setup --device-type my-board --server-url $server --identity serial=0003 --update-poll 2
upkeep bootstrap
board_until "the daemon has started"`,
      after: "stop_board",
    }),
  },
  { command: "upkeep resume", treatment: run({ exits: 2 }) },
  { command: "upkeep check-update", treatment: run({ before: 'board_until "the daemon has started"' }) },
  {
    command: /^(npx upkeep-server|npx upkeep|upkeep|curl|echo|mender-cli|printf|server=|token=)/,
    treatment: run(),
  },
];

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bPASSWORD\b/g, '"$password"'],
  [/\bFILE\b/g, "scenario.yaml"],
];

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** How a command is run: as it stands, but for what a reader puts in the place of words in capital letters. */
function scriptOf(path: string, command: ReadmeCommand): string {
  const { treatment } = ruleOf(command, RULES) ?? { treatment: notRun("") };
  if (treatment.kind === "not-run") return "";
  const text = WORDS.reduce((line, [word, value]) => line.replaceAll(word, value), command.text).replace(/ &$/, "");
  const body =
    treatment.kind !== "run"
      ? `${treatment.kind === "server" ? "serve" : "board_until 'the daemon has started'"} ${text}`
      : `status=0; ${text.replace(/^curl /, "curl -sSf ").replace("$(curl ", "$(curl -sSf ")} || status=$?\n[ $status = ${treatment.exits ?? 0} ]`;
  const said = `say ${quoted(`${path}:${command.line}: ${command.text}`)}`;
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
# Starts a daemon, that of the board if none is named, and waits until it says something.
board_until() {
  local awaited=$1
  shift
  [ $# -gt 0 ] || set -- upkeep --log-format plain daemon
  exec 4< <(exec "$@" 2>&1)
  board_pid=$!
  while IFS= read -r line <&4; do
    echo "board: $line"
    [[ $line =~ $awaited ]] || continue
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

const textOf = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const commandsOf = (path: string): readonly ReadmeCommand[] => readmeCommands(textOf(path));

describe("the shell commands of the documents", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-readme-commands-"));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("are run, or it is said why they are not; and every rule is for one of them", () => {
    const commands = DOCUMENTS.flatMap(({ path }) => commandsOf(path));
    expect(commands.length).toBeGreaterThan(60);
    expect(commands.filter((command) => ruleOf(command, RULES) === undefined)).toEqual([]);
    const used = new Set(commands.map((command) => ruleOf(command, RULES)));
    expect(RULES.filter((rule) => !used.has(rule))).toEqual([]);
  });

  test("lead from a clone to the first updated device of one's own, and are six at most", () => {
    const commands = commandsOf("README.md");
    const first = commands.filter(({ section }) => section === "Quick start: device makers");
    const last = first.at(-1);
    // The test of all commands in their order runs them, and looks at the device after the last one.
    expect(last && ruleOf(last, RULES)?.treatment).toMatchObject({ after: FIRST_UPDATE });
    const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> };
    expect(scripts.prepare, "npm ci builds").toContain("npm run build");
    const install = commands.filter(({ text }) => text === "npm ci");
    const typed = [...install, ...first].map(typedCommands).reduce((sum, count) => sum + count, 0);
    expect(install).toHaveLength(1);
    expect(typed).toBeLessThanOrEqual(6);
  });

  test("name the server wherever mender-cli would otherwise send the token to its own default host", () => {
    const calls = DOCUMENTS.flatMap(({ path }) => textOf(path).match(/^mender-cli [^`\n]*/gm) ?? []);
    expect(calls.length).toBeGreaterThan(1);
    for (const call of calls) expect(call).toContain("--server $server");
  });

  test("are all that there are: no document with commands is left out", () => {
    const listed = execFileSync("git", ["ls-files", "*.md"], { cwd: ROOT, encoding: "utf8" }).trim().split("\n");
    const withCommands = listed.filter((path) => commandsOf(path).length > 0);
    expect(withCommands.sort()).toEqual([...DOCUMENTS.map(({ path }) => path), ...Object.keys(ELSEWHERE)].sort());
    for (const [path, test] of Object.entries(ELSEWHERE)) expect(textOf(test)).toContain(path);
  });

  const inOrder = MISSING === undefined ? test : test.skip;
  inOrder.each(DOCUMENTS)(
    "of $path do what they say, in their order, in a place without any other network",
    { timeout: LONG_MS },
    ({ path, before = "" }) => {
      const place = mkdtempSync(join(folder, "reader-"));
      const [bin, work, home, board] = ["bin", "work", "home", "board"].map((name) => join(place, name)) as [
        string,
        string,
        string,
        string,
      ];
      for (const directory of [bin, work, home]) mkdirSync(directory);
      const executable = (name: string, line: string): void => {
        writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`);
        chmodSync(join(bin, name), 0o755);
      };
      const node = quoted(process.execPath);
      executable("npx", `command=$1; shift; exec ${quoted(join(ROOT, "node_modules/.bin"))}/"$command" "$@"`);
      executable("upkeep", `exec ${node} ${quoted(join(ROOT, "agent/bin/upkeep.cjs"))} --root ${quoted(board)} "$@"`);
      executable("upkeepctl", `exec ${node} ${quoted(join(ROOT, "mock-server/bin/upkeepctl.mjs"))} "$@"`);
      symlinkSync(process.execPath, join(bin, "node"));
      writeFileSync(join(work, "README.md"), textOf("README.md"));
      const [, scenario = ""] = /```yaml\n(.*?)```/s.exec(textOf("README.md")) ?? [];
      writeFileSync(join(work, "scenario.yaml"), scenario);
      symlinkSync(join(ROOT, "test"), join(work, "test"));
      const commands = commandsOf(path).map((command) => scriptOf(path, command));
      const script = [PRELUDE, `cd ${quoted(work)}`, before, ...commands, 'say "all done"'].join("\n");
      writeFileSync(join(place, "script.bash"), script);

      const { stdout, stderr, status, error } = spawnSync(
        "unshare",
        [...ISOLATED, "bash", join(place, "script.bash")],
        {
          encoding: "utf8",
          timeout: LONG_MS,
          env: { ...process.env, BOARD: board, HOME: home, NO_COLOR: "1", PATH: `${bin}:${process.env.PATH}` },
        },
      );
      const output = `${stdout}${stderr}${error ?? ""}`;
      expect(status, output).toBe(0);
      expect(stdout).toContain(">>> all done");
    },
  );
});
