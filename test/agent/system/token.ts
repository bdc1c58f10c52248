import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** SoftHSM's PKCS#11 module. */
const MODULE = "/usr/lib/softhsm/libsofthsm2.so";

/** A PKCS#11 token in software, in `directory`, with a key of each kind that a device may have. */
export function createToken(directory: string): { readonly uri: (key: "rsa" | "ec") => string } {
  const tokens = join(directory, "tokens");
  mkdirSync(tokens);
  const settings = join(directory, "softhsm2.conf");
  writeFileSync(settings, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  process.env.SOFTHSM2_CONF = settings;
  process.env.PKCS11_MODULE_PATH = MODULE;
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: "pipe" });
  run("softhsm2-util", "--init-token", "--free", "--label", "device", "--so-pin", "1234", "--pin", "1234");
  const login = ["--module", MODULE, "--login", "--pin", "1234", "--token-label", "device"];
  for (const [id, label, type] of [
    ["01", "ec", "EC:prime256v1"],
    ["02", "rsa", "rsa:2048"],
  ] as const) {
    run("pkcs11-tool", ...login, "--keypairgen", "--key-type", type, "--id", id, "--label", label);
  }
  const pin = join(directory, "pin");
  writeFileSync(pin, "1234");
  return { uri: (key) => `pkcs11:token=device;object=${key};type=private?pin-source=file:${pin}` };
}
