import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import {
  type ArtifactRecord,
  type Domain,
  type DomainOptions,
  openDomain,
  type StorageLocation,
} from "../../mock-server/domain.ts";
import { NodeFiles } from "../../mock-server/system/files.ts";
import { makeRecords, RECORDS_KIND } from "./records-fixture.ts";

/** A clock that stands still until it is told to go on, and chance from a counter. */
export class TestSystem {
  nowMs = Date.UTC(2027, 0, 1);
  protected jumpedMs = 0;
  #drawn: number;

  /** @param drawn What chance begins with: another number than that of a system whose records this one goes on with. */
  constructor(drawn = 0) {
    this.#drawn = drawn;
  }

  readonly files = new NodeFiles();

  readonly clock = { now: () => this.nowMs, monotonic: () => this.nowMs - this.jumpedMs };

  /** The wall clock is set: no time passes. */
  jump(ms: number): void {
    this.nowMs += ms;
    this.jumpedMs += ms;
  }

  readonly random = {
    bytes: (count: number): Uint8Array => {
      this.#drawn += 1;
      const blocks = Math.ceil(count / 32);
      const digests = Array.from({ length: blocks }, (_, block) =>
        createHash("sha256").update(`${this.#drawn}.${block}`).digest(),
      );
      return Buffer.concat(digests).subarray(0, count);
    },
    uuid: (): string => {
      const hex = Buffer.from(this.random.bytes(16)).toString("hex");
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
    },
    fraction: (): number => 0.5,
  };
}

/** Passwords are hashed quickly where their hashing is not the subject. */
export const QUICK_PASSWORDS = { passwordWork: 16 } as const;

export interface TestDomain {
  readonly domain: Domain;
  readonly system: TestSystem;
}

/**
 * @param storage Absent: new records on the engine that the tests run on, gone when the domain is closed.
 */
export async function openTestDomain(change: DomainOptions = {}, storage?: StorageLocation): Promise<TestDomain> {
  const options = { ...QUICK_PASSWORDS, ...change };
  const system = new TestSystem();
  if (storage !== undefined) return { domain: await openDomain({ system, storage, options }), system };
  const { location, remove } = await makeRecords(RECORDS_KIND, await startedPostgres());
  const domain = await openDomain({ system, storage: location, options });
  const close = async (): Promise<void> => {
    await domain.close();
    await remove();
  };
  return { domain: { ...domain, close }, system };
}

/** The server that the test runner started; programs that tests start have no part in that. */
async function startedPostgres(): Promise<string | undefined> {
  return RECORDS_KIND === "postgres" ? (await import("vitest")).inject("postgresUrl") : undefined;
}

export type KeyKind = "rsa" | "ecdsa" | "ed25519";

/** A device that can sign. */
export class TestDevice {
  readonly idData: string;
  readonly publicKey: string;
  readonly #kind: KeyKind;
  readonly #privateKey: KeyObject;

  constructor(idData: string, kind: KeyKind = "ed25519") {
    const pair =
      kind === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : kind === "ecdsa"
          ? generateKeyPairSync("ec", { namedCurve: "P-256" })
          : generateKeyPairSync("ed25519");
    this.idData = idData;
    this.#kind = kind;
    this.#privateKey = pair.privateKey;
    this.publicKey = pair.publicKey.export({ format: "pem", type: "spki" }).toString();
  }

  body(extra: Readonly<Record<string, string>> = {}): Uint8Array {
    return Buffer.from(JSON.stringify({ id_data: this.idData, pubkey: this.publicKey, ...extra }));
  }

  sign(body: Uint8Array): string {
    return sign(this.#kind === "ed25519" ? null : "sha256", body, this.#privateKey).toString("base64");
  }

  /** An authorisation request as a client sends it. */
  request(): { body: Uint8Array; signature: string } {
    const body = this.body();
    return { body, signature: this.sign(body) };
  }
}

/** Let devices in, and tell their ids. Needs `autoAccept`. */
export async function acceptedDevices(domain: Domain, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const device = new TestDevice(JSON.stringify({ mac: `02:00:00:00:00:${index}` }));
    const token = await domain.authentication.authorize(device.request());
    ids.push((await domain.authentication.verify(token)).deviceId);
  }
  return ids;
}

export function artifact(change: Partial<ArtifactRecord> & { readonly id: string }): ArtifactRecord {
  const name = change.name ?? "release-1";
  return {
    name,
    description: "",
    formatVersion: 3,
    signed: false,
    sizeBytes: 1000,
    sha256: "0".repeat(64),
    deviceTypes: ["raspberrypi4"],
    depends: {},
    provides: { artifact_name: name },
    clearsProvides: [],
    payloads: [{ type: "single-file", files: [{ name: "a", sizeBytes: 10, sha256: "1".repeat(64), modifiedMs: 0 }] }],
    modifiedMs: 0,
    ...change,
  };
}

/** What a device says it has, running nothing that any test deploys. */
export const PROVIDES = { device_type: "raspberrypi4", artifact_name: "factory" } as const;
