import { generateKeyPairSync } from "node:crypto";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { createAgentRoot } from "../../support/agent.ts";
import { menderStoreFile } from "../device/adopt-store.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { upkeep } from "./device.ts";

const KEY = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
const directory = temporaryDirectory();
let root: string;
let count = 0;

beforeEach(() => {
  root = join(directory, String(++count));
});

/** A device below `root`, whose old client has this store. */
function oldDevice(store: Readonly<Record<string, string>>): void {
  createAgentRoot(root, { serverUrl: "http://127.0.0.1:9", deviceType: "board", identity: { mac: "1" } });
  writeFileSync(join(root, "var/lib/mender/mender-agent.pem"), KEY);
  writeFileSync(join(root, "var/lib/mender/mender-store"), menderStoreFile({ wordBytes: 8, leaves: [store] }));
}

const identityProgram = () => join(root, "usr/share/mender/identity/mender-device-identity");

describe("upkeep adopt", () => {
  it("takes over a device that only ever installed by hand: it has no key yet", () => {
    oldDevice({ "artifact-name": "by-hand-3", "artifact-provides": "{}" });
    rmSync(identityProgram());
    rmSync(join(root, "var/lib/mender/mender-agent.pem"));
    const { code, stdout, stderr } = upkeep(root, "adopt");
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("artifact_name=by-hand-3\n");
    expect(stdout).toMatch(/^key +the old client has none: it never logged in; .* is made with the first login$/m);
    expect(upkeep(root, "show-artifact").stdout).toBe("by-hand-3\n");
  });

  it("refuses where there is neither a key nor a store", () => {
    oldDevice({});
    for (const name of ["mender-store", "mender-agent.pem"]) rmSync(join(root, "var/lib/mender", name));
    const { code, stderr } = upkeep(root, "adopt");
    expect(code).toBe(1);
    expect(stderr).toContain("there is no client to take over from: ");
  });

  it("refuses an emptied store by its name, and changes nothing", () => {
    oldDevice({});
    const store = join(root, "var/lib/mender/mender-store");
    writeFileSync(store, "");
    const { code, stderr } = upkeep(root, "adopt");
    expect(code).toBe(1);
    expect(stderr).toContain(`the old client's store ${store} cannot be read: it is empty`);
    expect(upkeep(root, "show-artifact").stdout).toBe("unknown\n");
  });

  it("warns if the old client sent another identity: one of 4.0 or newer sent the CR of CR LF", () => {
    oldDevice({ "artifact-name": "r1" });
    writeFileSync(identityProgram(), "#!/bin/sh\nprintf 'imei=35209900\\r\\n'\n");
    const newer = upkeep(root, "adopt");
    expect(newer.stdout).toContain('identity       {"imei":"35209900"}\n');
    expect(newer.stdout).toContain('a client of 4.0 or newer sent {"imei":"35209900\\r"}');
    // One of the 3.x line keeps its token in the store, and drops the CR as upkeep does.
    oldDevice({ "artifact-name": "r1", authtoken: "eyJh" });
    writeFileSync(identityProgram(), "#!/bin/sh\nprintf 'imei=35209900\\r\\n'\n");
    expect(upkeep(root, "adopt").stdout).not.toContain("4.0");
  });

  it("warns if the old client's identity program is gone, and another one is run", () => {
    oldDevice({ "artifact-name": "r1" });
    cpSync(join(root, "usr/share/mender/identity"), join(root, "usr/share/upkeep/identity"), { recursive: true });
    rmSync(identityProgram());
    expect(upkeep(root, "adopt").stdout).toMatch(
      /^attention +.*mender\/identity\/mender-device-identity, which the old client ran, does not exist/m,
    );
  });
});
