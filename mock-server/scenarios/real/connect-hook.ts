import { replaceFile, type System } from "@upkeep/shared/system";
import type { ConnectError } from "../../faults/effects/exchange.ts";

/** On the device: the module that Node loads before the agent, and the file that tells it what fails next. */
const MODULE = "/connect-hook.cjs";
const NEXT = "/next-connection";

/** Loaded into the agent's process. If the file is there, the next connection fails with the error that it names. */
function hookText(file: string): string {
  return `const fs = require("node:fs");
const net = require("node:net");
const { connect } = net.Socket.prototype;
const FILE = ${JSON.stringify(file)};
net.Socket.prototype.connect = function (...args) {
  if (!fs.existsSync(FILE)) return connect.apply(this, args);
  const code = fs.readFileSync(FILE, "utf8");
  fs.rmSync(FILE);
  const error = Object.assign(new Error("connect " + code), { code, syscall: "connect" });
  process.nextTick(() => this.destroy(error));
  return this;
};
`;
}

/**
 * Makes connections of an agent fail on its own machine: without a route, without a listener, with a bad certificate.
 * Nothing at the other end of a connection can make a process meet these errors.
 */
export class ConnectHook {
  readonly #files: System["files"];
  readonly #root: string;

  /** @param root The device's directory. */
  constructor(files: System["files"], root: string) {
    this.#files = files;
    this.#root = root;
  }

  /** Options of Node that load the hook. */
  get nodeOptions(): readonly string[] {
    return ["--require", this.#root + MODULE];
  }

  async install(): Promise<void> {
    await replaceFile(this.#files, this.#root + MODULE, hookText(this.#root + NEXT));
  }

  async failNext(error: ConnectError): Promise<void> {
    await replaceFile(this.#files, this.#root + NEXT, error);
  }

  /** True until the device has made the connection that fails. */
  async isPending(): Promise<boolean> {
    return (await this.#files.status(this.#root + NEXT)) !== undefined;
  }

  async clear(): Promise<void> {
    await this.#files.remove(this.#root + NEXT);
  }
}
