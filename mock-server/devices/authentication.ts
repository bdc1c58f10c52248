import { AuthRequest, describeFaults } from "@upkeep/shared/protocol";
import type { Clock, Random } from "@upkeep/shared/system";
import * as z from "zod";
import { sha256 } from "../digest.ts";
import { DomainError, unauthorized } from "../errors.ts";
import {
  type AuthSetRecord,
  DEVICE_TIERS,
  type DeviceRecord,
  type DeviceTier,
  type Records,
  type Storage,
  type TokenClaims,
  type TokenStatus,
} from "../storage/index.ts";
import { deviceText } from "../texts.ts";
import { TokenKey } from "../tokens.ts";
import { accept, mayBeAccepted, refreshDevice } from "./acceptance.ts";
import type { Contacts } from "./contacts.ts";
import type { DeviceCryptography } from "./cryptography.ts";
import { type Identity, parseIdentity } from "./identity.ts";
import { parsePublicKey } from "./public-key.ts";
import { type Credentials, hasCredentials, registerAuthSet, registerDevice } from "./registration.ts";

const DeviceClaims = z.object({
  jti: z.string(),
  sub: z.string(),
  iss: z.literal("Mender"),
  /** Seconds since the Unix epoch, as the other times of a token. */
  exp: z.number(),
  iat: z.number(),
  "mender.device": z.literal(true),
  "mender.plan": z.literal("enterprise"),
  "mender.trial": z.literal(false),
  "mender.addons": z.array(z.object({ name: z.string(), enabled: z.boolean() })),
  /** Tokens of an older generation of the auth set were revoked. */
  "upkeep.generation": z.number(),
});
type DeviceClaims = z.infer<typeof DeviceClaims>;

/** The authenticated device of a request. */
export interface DevicePrincipal {
  readonly deviceId: string;
  readonly authSetId: string;
  /** False: when the token was checked, no open deployment could be for the device. */
  readonly mayHaveWork: boolean;
}

/** An authorisation request as received. */
export interface AuthAttempt {
  /** The signed bytes. */
  readonly body: Uint8Array;
  /** Header `X-MEN-Signature`: base64. */
  readonly signature: string | undefined;
}

export interface AuthenticationOptions {
  /** Accept every key at once, unless it was rejected. For development. */
  readonly autoAccept: boolean;
  readonly tokenLifeMs: number;
  readonly cryptography: DeviceCryptography;
}

/** Authorises devices and verifies their tokens. */
export class DeviceAuthentication {
  readonly #storage: Storage;
  readonly #system: { readonly clock: Clock; readonly random: Random };
  readonly #options: AuthenticationOptions;
  readonly #contacts: Pick<Contacts, "note">;
  readonly #tokens: TokenKey<DeviceClaims>;

  constructor(
    storage: Storage,
    system: { readonly clock: Clock; readonly random: Random },
    tokenSeed: Uint8Array,
    options: AuthenticationOptions,
    contacts: Pick<Contacts, "note">,
  ) {
    this.#contacts = contacts;
    this.#storage = storage;
    this.#system = system;
    this.#options = options;
    this.#tokens = new TokenKey(
      tokenSeed,
      {},
      (payload) => DeviceClaims.safeParse(payload).data,
      options.cryptography.tokenSigner,
    );
  }

  /**
   * Handles an authorisation request. Registers an unknown device or key as pending.
   * @returns A token.
   * @throws DomainError (invalid) if the request is malformed; (unauthorized) if its signature is wrong
   *   or the key is not accepted.
   */
  async authorize(attempt: AuthAttempt): Promise<string> {
    const { identity, credentials } = verifiedRequest(attempt, this.#options.cryptography);
    const accepted =
      (await this.#readmit(identity, credentials)) ??
      (await this.#storage.transaction((records) => this.#admit(records, identity, credentials)));
    if (accepted === undefined) throw new DomainError("device-unauthorized");
    return this.#issue(accepted);
  }

  /**
   * The device of a token that is neither expired nor revoked and whose key is accepted.
   * @throws DomainError (unauthorized)
   */
  async verify(token: string): Promise<DevicePrincipal> {
    const claims = this.#claimsOf(token);
    const status = await this.#storage.readOne(({ authSets }) => authSets.tokenStatus(tokenClaims(claims)));
    return this.#noted(principalOf(claims, status));
  }

  /**
   * Synchronous {@link verify}.
   * @returns `undefined` if the caller must use {@link verify}.
   * @throws DomainError (unauthorized)
   */
  verifySync(token: string): DevicePrincipal | undefined {
    const claims = this.#claimsOf(token);
    const read = this.#storage.readSync(({ authSets }) => authSets.tokenStatusSync(tokenClaims(claims)));
    return read === undefined ? undefined : this.#noted(principalOf(claims, read.found));
  }

  #noted(device: DevicePrincipal): DevicePrincipal {
    this.#contacts.note(device.deviceId);
    return device;
  }

  #claimsOf(token: string): DeviceClaims {
    const claims = this.#tokens.read(token);
    if (claims === undefined || this.#system.clock.now() >= claims.exp * 1000) throw unauthorized();
    return claims;
  }

  /** The auth set if it is accepted already: nothing is decided that concerns other devices, which need not wait. */
  async #readmit(identity: Identity, { publicKey, tier }: Credentials): Promise<AuthSetRecord | undefined> {
    const asked = { identitySha256: sha256(identity.json), publicKey, tier };
    const known = await this.#storage.readOne(({ authSets }) => authSets.accepted(asked));
    if (known === undefined) return undefined;
    return await this.#storage.deviceTransaction(known.device_id, async (records) => {
      // Once more: its status may have changed before this transaction.
      const authSet = await records.authSets.accepted(asked);
      if (authSet !== undefined) await this.#checkIn(records, authSet.device_id);
      return authSet;
    });
  }

  async #checkIn(records: Records, deviceId: string): Promise<void> {
    const now = this.#system.clock.now();
    this.#contacts.note(deviceId);
    await records.devices.checkIn(deviceId, now);
    await records.silence.touch(deviceId, now);
  }

  /** The auth set if it is accepted, perhaps by this call. */
  async #admit(records: Records, identity: Identity, credentials: Credentials): Promise<AuthSetRecord | undefined> {
    const now = this.#system.clock.now();
    const known = await records.devices.findByIdentity(sha256(identity.json));
    const device: DeviceRecord = known ?? (await registerDevice(records, this.#system, identity));
    this.#contacts.note(device.id);
    const authSets = await records.authSets.ofDevices([device.id]);
    const authSet =
      authSets.find((known) => hasCredentials(known, credentials)) ??
      (await registerAuthSet(records, this.#system, device.id, credentials, "pending"));
    const wanted = authSet.status === "preauthorized" || (authSet.status === "pending" && this.#options.autoAccept);
    const admitted =
      wanted && (await mayBeAccepted(records, device.id)) ? await accept(records, authSet, now) : authSet;
    if (admitted.status !== "accepted") {
      await refreshDevice(records, device.id, now);
      return undefined;
    }
    await this.#checkIn(records, device.id);
    return admitted;
  }

  #issue(authSet: AuthSetRecord): string {
    const now = this.#system.clock.now();
    return this.#tokens.issue({
      jti: authSet.id,
      sub: authSet.device_id,
      iss: "Mender",
      exp: Math.floor((now + this.#options.tokenLifeMs) / 1000),
      iat: Math.floor(now / 1000),
      "mender.device": true,
      "mender.plan": "enterprise",
      "mender.trial": false,
      "mender.addons": [],
      "upkeep.generation": authSet.token_generation,
    });
  }
}

function tokenClaims(claims: DeviceClaims): TokenClaims {
  return { id: claims.jti, deviceId: claims.sub, generation: claims["upkeep.generation"] };
}

/** @throws DomainError (unauthorized) if the token was revoked or its key is no longer accepted. */
function principalOf(claims: DeviceClaims, status: TokenStatus | undefined): DevicePrincipal {
  if (status === undefined) throw unauthorized();
  return { deviceId: claims.sub, authSetId: claims.jti, mayHaveWork: status.mayHaveWork };
}

/** All checks of a request that need no records, in the order of the reference. */
function verifiedRequest(
  { body, signature }: AuthAttempt,
  cryptography: DeviceCryptography,
): { identity: Identity; credentials: Credentials } {
  const request = decode(body);
  const publicKey = parsePublicKey(request.pubkey);
  const tier = tierNamed(request.tier);
  const identity = parseIdentity(request.id_data);
  if (signature === undefined || signature === "") throw new DomainError("signature-missing");
  if (!cryptography.isSignedBy(publicKey, body, signature)) throw new DomainError("wrong-signature");
  return { identity, credentials: { publicKey: publicKey.pem, tier } };
}

/** @throws DomainError (invalid) */
function tierNamed(name: string | undefined): DeviceTier {
  const tier = DEVICE_TIERS.find((known) => known === (name || "standard"));
  if (tier !== undefined) return tier;
  throw undecodable(`tier: must be one of ${DEVICE_TIERS.join(", ")}, not ${JSON.stringify(name?.slice(0, 60))}`);
}

function undecodable(fault: string): DomainError {
  return new DomainError("undecodable-auth-request", { fault });
}

function decode(body: Uint8Array): AuthRequest {
  let json: unknown;
  try {
    // The signature covers the bytes. Identities that differ in invalid UTF-8 only are equal.
    json = JSON.parse(deviceText(body));
  } catch (error) {
    throw undecodable(error instanceof Error ? error.message : String(error));
  }
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    for (const field of ["id_data", "pubkey"]) {
      const value: unknown = Object.entries(json).find(([key]) => key === field)?.[1];
      if (value === undefined || value === "")
        throw new DomainError("invalid-auth-request", { fault: `${field} must be provided` });
    }
  }
  const parsed = AuthRequest.safeParse(json);
  if (!parsed.success) throw undecodable(describeFaults(parsed.error));
  return parsed.data;
}
