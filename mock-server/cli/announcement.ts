import { given } from "@upkeep/shared/given";
import type { Output } from "../system/environment.ts";
import type { ServeSettings } from "./serve/options.ts";
import type { Serving } from "./serve.ts";

/** Tells the operator the URL and the first login: in words, or as one JSON line for programs. */
export function announce(serving: Serving, settings: ServeSettings, json: boolean, output: Output): void {
  const { url, dataDirectory: data, certificatePath: certificate, administrator } = serving;
  if (json) {
    const line = {
      url,
      data,
      ...given({ certificate, administrator }),
    };
    output.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const lines = [`Upkeep server is ready: ${url}`, `Data: ${data}`];
  if (certificate !== undefined) lines.push(`Certificate, for devices to trust: ${certificate}`);
  if (administrator !== undefined) {
    lines.push(
      "",
      administrator.password === undefined
        ? "An administrator was made, with the password of --admin-password-file:"
        : "An administrator was made. The password is shown this once:",
      `  e-mail:   ${administrator.email}`,
      ...(administrator.password === undefined ? [] : [`  password: ${administrator.password}`]),
      settings.console ? `Log in at ${url}/ in a browser, or with:` : "Log in with:",
      `  upkeepctl login --server ${url} --user ${administrator.email}${certificate === undefined ? "" : ` --ca ${certificate}`}`,
      "",
    );
  }
  if (settings.insecureNoAuth) lines.push("Anybody on this machine may manage devices (--insecure-no-auth).");
  if (settings.autoAccept) lines.push("Every new device is accepted at once (--auto-accept).");
  if (settings.testControls !== undefined) {
    const who = settings.testControls === "any" ? "Anybody who reaches this server" : "Anybody on this machine";
    lines.push(`${who} may change everything at ${url}/api/test/v1 (--test-controls).`);
  }
  output.write(`${lines.join("\n")}\n`);
}
