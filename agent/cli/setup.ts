import { resolve } from "node:path";
import { createDirectoryDurably, isSystemError, readTextFile, replaceFile } from "@upkeep/shared/system";
import type { AgentContext } from "../compose/context.ts";
import { deviceTypeFile } from "../compose/from-config.ts";
import { readTrusted } from "../compose/pem.ts";
import { parseConfigFile } from "../config/file.ts";
import { underRoot } from "../config/paths.ts";
import { holderOf, signalDaemon } from "../daemon/lock.ts";
import { readDeviceType } from "../device/device-type.ts";
import { AgentError } from "../errors.ts";
import { linuxSystem } from "../system/index.ts";
import { createPrompter, isInteractive } from "../system/prompt.ts";
import { writeError, writeOutput } from "../system/terminal.ts";
import { loadContext } from "./context.ts";
import { EXIT, type ExitCode, type Globals, pathOptions } from "./globals.ts";

const CONFIG_BYTES_MAX = 1024 * 1024;
const PROGRAM_BYTES_MAX = 16 * 1024 * 1024;

export interface SetupOptions extends Globals {
  readonly deviceType?: string | undefined;
  readonly serverUrl?: string | undefined;
  /** `KEY=VALUE` each. */
  readonly identity?: readonly string[] | undefined;
  readonly serverCert?: string | undefined;
  readonly tenantToken?: string | undefined;
  readonly updatePoll?: number | undefined;
  readonly inventoryPoll?: number | undefined;
  readonly retryPoll?: number | undefined;
  readonly demo?: boolean | undefined;
}

/** The server that `upkeep-server serve` starts by default on this machine, polled every few seconds. */
const DEMO = { serverUrl: "http://127.0.0.1:8080", updatePoll: 5, inventoryPoll: 5, retryPoll: 30 } as const;
const DEMO_DEVICE_TYPE = "demo";

type Values = Readonly<Record<string, unknown>>;

interface Wishes {
  readonly deviceType: string;
  /** Keys of the configuration. */
  readonly values: Values;
}

/**
 * The identity program that prints these lines; `undefined` without any.
 * @throws AgentError `identity-malformed`.
 */
function identityProgram(lines: readonly string[]): string | undefined {
  const wrong = lines.find((line) => !/^[^=]+=./.test(line) || /\p{Cc}/u.test(line));
  if (wrong !== undefined) {
    throw new AgentError("identity-malformed", `--identity ${JSON.stringify(wrong)}: must be KEY=VALUE, in one line`);
  }
  if (lines.length === 0) return undefined;
  const quoted = lines.map((line) => `'${line.replaceAll("'", "'\\''")}'`);
  return `#!/bin/sh\n# Written by 'upkeep setup --identity'.\nprintf '%s\\n' ${quoted.join(" ")}\n`;
}

/** @throws AgentError `identity-exists`: another identity makes another device of it. */
async function demandNoOtherIdentity({ system, paths }: AgentContext, program: string): Promise<void> {
  const path = paths.deviceIdentityScript;
  const before = await readTextFile(system.files, path, PROGRAM_BYTES_MAX);
  if (before === undefined || before === program) return;
  throw new AgentError("identity-exists", `--identity: this device has an identity program already, ${path}`);
}

/** The configuration that is there, whatever it holds; `undefined` if there is none. */
async function existing({ system, paths }: AgentContext): Promise<Values> {
  const text = await readTextFile(system.files, paths.configFile, CONFIG_BYTES_MAX);
  if (text === undefined) return {};
  parseConfigFile(text, paths.configFile);
  return JSON.parse(text.replace(/^\uFEFF/, "")) as Values;
}

/** `before` with new values. Other keys keep their value and spelling. */
export function withValues(before: Values, values: Values): Values {
  const replaced = new Set(Object.keys(values).map((key) => key.toLowerCase()));
  // One server and a list of them exclude each other.
  if (replaced.has("serverurl")) replaced.add("servers");
  const kept = Object.entries(before).filter(([key]) => !replaced.has(key.toLowerCase()));
  return { ...Object.fromEntries(kept), ...values };
}

/** @throws AgentError `device-type-invalid`. */
function demandDeviceType(value: string): void {
  // Control characters would end the line that holds it.
  if (value !== "" && value.trim() === value && !/\p{Cc}/u.test(value)) return;
  throw new AgentError(
    "device-type-invalid",
    `the device type ${JSON.stringify(value)} must be one line, without blanks around it`,
  );
}

function valuesOf(options: SetupOptions): Values {
  const given = options.demo ? { ...DEMO, ...withoutUndefined(options) } : options;
  return withoutUndefined({
    ServerURL: given.serverUrl,
    ServerCertificate: options.serverCert === undefined ? undefined : resolve(options.serverCert),
    TenantToken: options.tenantToken,
    UpdatePollIntervalSeconds: given.updatePoll,
    InventoryPollIntervalSeconds: given.inventoryPoll,
    RetryPollIntervalSeconds: given.retryPoll,
  });
}

function withoutUndefined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

async function currentDeviceType(context: AgentContext): Promise<string | undefined> {
  try {
    return await readDeviceType(context.system.files, deviceTypeFile(context));
  } catch (error) {
    if (error instanceof AgentError) return undefined;
    throw error;
  }
}

/** Asks for the values that have no flag; an empty answer keeps the value in brackets. */
async function asked(options: SetupOptions, context: AgentContext, current: string | undefined): Promise<Wishes> {
  const prompter = createPrompter(writeOutput);
  const ask = async (what: string, standard: string, check: (answer: string) => void): Promise<string> => {
    for (;;) {
      const line = await prompter.ask(`${what}${standard === "" ? "" : ` [${standard}]`}: `);
      if (line === undefined) throw new AgentError("setup-ended", "the input ended before everything was answered");
      const answer = line === "" ? standard : line;
      try {
        check(answer);
        return answer;
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        writeOutput(`${error.message}\n`);
      }
    }
  };
  const key = (name: string, read: (answer: string) => unknown) => (answer: string) => {
    parseConfigFile(JSON.stringify({ [name]: read(answer) }), "this answer");
  };
  const needed = (name: string) => (answer: string) => {
    if (answer === "") throw new AgentError("setup-empty", `${name} is needed`);
    key(name, String)(answer);
  };
  try {
    const deviceType = options.deviceType ?? (await ask("Device type", current ?? "", demandDeviceType));
    const values: Record<string, unknown> = { ...valuesOf(options) };
    values.ServerURL ??= await ask("URL of the server", context.config.servers[0] ?? "", needed("ServerURL"));
    if (values.UpdatePollIntervalSeconds === undefined) {
      const standard = String(context.config.updatePollIntervalMs / 1000);
      const check = key("UpdatePollIntervalSeconds", Number);
      values.UpdatePollIntervalSeconds = Number(await ask("Seconds between two polls", standard, check));
    }
    return { deviceType, values };
  } finally {
    prompter.close();
  }
}

/** The values of the flags over the current ones. @throws AgentError `setup-incomplete`. */
function fromFlags(options: SetupOptions, context: AgentContext, current: string | undefined): Wishes {
  const deviceType = options.deviceType ?? current ?? (options.demo ? DEMO_DEVICE_TYPE : undefined);
  const values = valuesOf(options);
  const missing = [
    ...(deviceType === undefined ? ["--device-type"] : []),
    ...(values.ServerURL === undefined && context.config.servers.length === 0 ? ["--server-url"] : []),
  ];
  if (deviceType === undefined || missing.length > 0) {
    throw new AgentError(
      "setup-incomplete",
      `${missing.join(" and ")} must be given: standard input is no terminal, so setup cannot ask`,
    );
  }
  return { deviceType, values };
}

async function write(
  context: AgentContext,
  { deviceType, values }: Wishes,
  identity: string | undefined,
): Promise<void> {
  const { files } = context.system;
  const { configFile } = context.paths;
  const typeFile = deviceTypeFile(context);
  const text = `${JSON.stringify(withValues(await existing(context), values), undefined, 2)}\n`;
  // Every mistake is found before a file is written.
  demandDeviceType(deviceType);
  parseConfigFile(text, configFile);
  if (identity !== undefined) await demandNoOtherIdentity(context, identity);
  const mode = (await files.status(configFile))?.mode ?? 0o600;
  const place = async (path: string, content: string, permissions: number): Promise<void> => {
    await createDirectoryDurably(files, path.slice(0, path.lastIndexOf("/")));
    await replaceFile(files, path, content, permissions);
    writeOutput(`Wrote ${path}.\n`);
  };
  try {
    await place(configFile, text, mode);
    if ((await currentDeviceType(context)) !== deviceType) await place(typeFile, `device_type=${deviceType}\n`, 0o644);
    if (identity !== undefined) await place(context.paths.deviceIdentityScript, identity, 0o755);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AgentError("setup-unwritten", `the setup cannot be written: ${error.message}`, { cause: error });
  }
}

/** A configuration that the command line names need not exist: it is about to be written. */
async function contextFor(options: SetupOptions): Promise<AgentContext> {
  const { config } = pathOptions(options);
  if (config === undefined || (await linuxSystem().files.status(config)) !== undefined) {
    return await loadContext(options, { quiet: true });
  }
  const context = await loadContext({ ...options, config: undefined }, { quiet: true });
  return { ...context, paths: { ...context.paths, configFile: config } };
}

/** `upkeep setup`: write the configuration and the device type, from flags or from a person's answers. */
export async function setup(typed: SetupOptions): Promise<ExitCode> {
  const options = { ...typed, serverCert: typed.serverCert ?? typed.trustedCerts };
  const context = await contextFor(options);
  if (options.serverCert !== undefined) {
    const root = options.root === undefined ? undefined : resolve(options.root);
    const path = underRoot(root, resolve(options.serverCert));
    await readTrusted(context, "--server-cert", path, (message) => writeError(`upkeep: ${message}\n`));
  }
  const identity = identityProgram(options.identity ?? []);
  const current = await currentDeviceType(context);
  const asks = isInteractive() && !options.demo;
  const wishes = asks ? await asked(options, context, current) : fromFlags(options, context, current);
  await write(context, wishes, identity);
  const { system, paths } = context;
  const holder = await holderOf(system.files, paths);
  if (holder?.command === "daemon") {
    const pid = await signalDaemon(system, paths, "HUP", false);
    writeOutput(`The running daemon (process ${pid}) takes this over at its next rest.\n`);
  } else if (options.root !== undefined) {
    writeOutput(`'upkeep --root ${options.root} daemon' starts the daemon of this device.\n`);
  } else {
    writeOutput(
      "'upkeep bootstrap' tries whether the server lets this device in; 'systemctl enable --now upkeep' starts the daemon,\n" +
        "'systemctl enable --now upkeep.timer' instead lets a timer check for updates, and nothing stays in memory.\n",
    );
  }
  return EXIT.ok;
}
