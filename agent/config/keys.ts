/**
 * Every key of the configuration, in one place: what it may hold, what holds when it is absent, what it
 * does. The names and defaults are those of mender.conf; keys of Upkeep's own are marked.
 */

/** What a key may hold. */
export type KeyType =
  | { readonly kind: "text" }
  /** An absolute path of the device. */
  | { readonly kind: "path" }
  | { readonly kind: "paths" }
  /** An absolute path, or a `pkcs11:` URI. */
  | { readonly kind: "key" }
  /** A cron expression; checked by the code that uses it. */
  | { readonly kind: "cron" }
  /** The name of a time zone; likewise. */
  | { readonly kind: "timezone" }
  /** `http://…` or `https://…`. */
  | { readonly kind: "url" }
  /** A list of host names, such as `cdn.example.com`, `.example.com` or `cdn.example.com:8443`. */
  | { readonly kind: "hosts" }
  /** `[{"ServerURL": "…"}, …]`. */
  | { readonly kind: "servers" }
  | { readonly kind: "switch" }
  | { readonly kind: "whole"; readonly least: number; readonly most: number }
  | {
      readonly kind: "choice";
      readonly choices: readonly string[];
      /** Values of other clients, with the reason why they are refused. */
      readonly refused?: ReadonlyMap<string, string>;
    };

export interface KeyFacts {
  readonly type: KeyType;
  /** The value when the key is absent; `undefined` if there is none then. */
  readonly default?: string | number | boolean;
  readonly unit?: "seconds" | "percent" | "tries" | "kilobytes per second";
  readonly meaning: string;
  /** True for keys that the reference client does not have. */
  readonly own?: true;
}

const text = { kind: "text" } as const;
const path = { kind: "path" } as const;
const paths = { kind: "paths" } as const;
const key = { kind: "key" } as const;
const cron = { kind: "cron" } as const;
const zone = { kind: "timezone" } as const;
const hosts = { kind: "hosts" } as const;
const flag = { kind: "switch" } as const;
const seconds = (least = 1) => ({ kind: "whole", least, most: 10 * 365 * 24 * 3600 }) as const;

export const KEYS = {
  ServerURL: { type: { kind: "url" }, meaning: "The server. Not together with Servers." },
  Servers: {
    type: { kind: "servers" },
    meaning: "Several servers. Whenever one cannot be reached, fails or does not accept the device, the next is asked.",
  },
  ServerRetrySeconds: {
    type: seconds(),
    default: 900,
    unit: "seconds",
    meaning: "How long a server that failed is asked only after the other ones.",
    own: true,
  },
  RedirectHosts: {
    type: hosts,
    meaning:
      "Hosts that a server may send downloads on to, besides itself; `.example.com` is all hosts below that domain. " +
      "Tokens, and what the device tells, go to no other scheme, host or port than those of ServerURL and Servers.",
    own: true,
  },
  TenantToken: { type: text, default: "", meaning: "Sent with the authorisation request if it is not empty." },
  DeviceTier: {
    type: {
      kind: "choice",
      choices: ["standard", "micro"],
      refused: new Map([
        ["system", "system is the tier of devices that update several components through Mender's orchestrator"],
      ]),
    },
    default: "standard",
    meaning: "Sent with the authorisation request.",
  },
  ServerCertificate: { type: path, meaning: "PEM certificates to trust in addition to the system's." },
  SkipVerify: { type: flag, default: false, meaning: "Accept any certificate of the server. Only for development." },
  "HttpsClient.Certificate": { type: path, meaning: "PEM certificate that the device shows to the server." },
  "HttpsClient.Key": {
    type: key,
    meaning: "Private key of HttpsClient.Certificate: a PEM file, or the pkcs11: URI of a key in hardware.",
  },
  "HttpsClient.PassphraseFile": {
    type: path,
    meaning:
      "A file whose first line is the passphrase of HttpsClient.Key, if that is encrypted: readable by root alone, or a " +
      "credential of systemd (`/run/credentials/upkeep.service/…`).",
    own: true,
  },
  "HttpsClient.SSLEngine": {
    type: text,
    default: "pkcs11",
    meaning: "The OpenSSL engine through which HttpsClient.Key is used if it is a pkcs11: URI.",
  },
  "Security.AuthPrivateKey": {
    type: key,
    meaning:
      "Private key that identifies the device, instead of the one in the data directory: a PEM file, or the pkcs11: " +
      "URI of a key in hardware. Never generated. (Give a PIN as pin-source=file:…, for a pin-value is seen by all.)",
  },
  "Security.SSLEngine": {
    type: text,
    default: "pkcs11",
    meaning: "The OpenSSL engine through which Security.AuthPrivateKey is used if it is a pkcs11: URI.",
  },
  KeyType: {
    type: { kind: "choice", choices: ["ed25519", "rsa3072"] },
    default: "ed25519",
    meaning: "The kind of key that is generated when the device has none.",
    own: true,
  },
  UpdatePollIntervalSeconds: {
    type: seconds(),
    default: 1800,
    unit: "seconds",
    meaning: "From one question for a deployment to the next.",
  },
  InventoryPollIntervalSeconds: {
    type: seconds(),
    default: 28_800,
    unit: "seconds",
    meaning: "From one sending of the inventory to the next.",
  },
  PollJitterPercent: {
    type: { kind: "whole", least: 0, most: 100 },
    default: 10,
    unit: "percent",
    meaning: "Each interval is lengthened by a random share up to this one, so that a fleet does not poll at once.",
    own: true,
  },
  FirstPollDelaySeconds: {
    type: seconds(0),
    default: 60,
    unit: "seconds",
    meaning:
      "When systemd starts the agent within ten minutes of the machine's own start, the first poll waits for a " +
      "random time up to this one, so that a fleet whose power comes back does not poll at once. Started in any " +
      "other way, the agent polls at once.",
    own: true,
  },
  UpdatePollSchedule: {
    type: cron,
    meaning:
      "When to ask for a deployment, instead of every UpdatePollIntervalSeconds: a cron expression of five fields, " +
      "such as `0 3 * * *` for three o'clock each night. No interval stands beside it: a time that never comes, such as " +
      "30 February, is refused, and one that is more than a month away is told in the log.",
    own: true,
  },
  InstallWindow: {
    type: cron,
    meaning:
      "In which minutes an update may begin: a cron expression of five fields, such as `* 2-4 * * 6,0` for the nights " +
      "of the weekend. What is offered at other times waits; what has begun goes on to its end.",
    own: true,
  },
  ScheduleTimezone: {
    type: zone,
    meaning: "The time zone of UpdatePollSchedule and InstallWindow, such as Europe/Oslo; the machine's own if absent.",
    own: true,
  },
  ScheduleRandomDelaySeconds: {
    type: seconds(0),
    default: 300,
    unit: "seconds",
    meaning:
      "A poll by UpdatePollSchedule, and an installation that waited for its window, are delayed by a random time of " +
      "up to this time, so that a fleet does not act at once. A window has to be longer than that.",
    own: true,
  },
  RetryPollIntervalSeconds: {
    type: seconds(0),
    default: 300,
    unit: "seconds",
    meaning: "The longest pause before something that failed is tried again; the first ones are shorter.",
  },
  RetryPollCount: {
    type: { kind: "whole", least: 0, most: 10_000 },
    default: 0,
    unit: "tries",
    meaning: "How often something that failed is tried again; 0 means three times at each length of the pause.",
  },
  RetryDownloadCount: {
    type: { kind: "whole", least: 1, most: 10_000 },
    default: 10,
    unit: "tries",
    meaning: "How many tries in a row may bring no byte of an artifact before its download is given up.",
  },
  ConnectionIdleSeconds: {
    type: seconds(),
    default: 300,
    unit: "seconds",
    meaning: "A connection without any traffic for this time is closed.",
    own: true,
  },
  AnswerTimeoutSeconds: {
    type: seconds(),
    default: 900,
    unit: "seconds",
    meaning:
      "How long an exchange with the server may take in all, even if it moves; of a download, until its content begins.",
    own: true,
  },
  DownloadKilobytesPerSecond: {
    type: { kind: "whole", least: 0, most: 100_000_000 },
    default: 0,
    unit: "kilobytes per second",
    meaning: "The most of the network that the download of an artifact may take; 0 for all there is.",
    own: true,
  },
  AdaptiveDownloads: {
    type: flag,
    default: true,
    meaning:
      "Fetch only those parts of an artifact that the device does not have, where the server offers that and it pays.",
    own: true,
  },
  AdaptiveSeeds: {
    type: paths,
    meaning:
      "Files, devices and directories that may hold parts of artifacts, besides those that the update module names.",
    own: true,
  },
  ModuleTimeoutSeconds: {
    type: seconds(),
    default: 14_400,
    unit: "seconds",
    meaning: "How long one call of an update module may take, the download included.",
  },
  StateScriptTimeoutSeconds: {
    type: seconds(),
    default: 3600,
    unit: "seconds",
    meaning: "How long one run of a state script may take.",
  },
  StateScriptRetryTimeoutSeconds: {
    type: seconds(),
    default: 1800,
    unit: "seconds",
    meaning: "How long one state script may keep asking to be run again (exit code 21).",
  },
  StateScriptRetryIntervalSeconds: {
    type: seconds(),
    default: 60,
    unit: "seconds",
    meaning: "Pause before a state script that asked for it is run again.",
  },
  CommitTimeoutSeconds: {
    type: seconds(0),
    default: 2160,
    unit: "seconds",
    meaning:
      "After an update, and before it is made permanent, the new software must log in to the server and report. How " +
      "long it may try, a clock that is not set yet included, until the device is rolled back.",
    own: true,
  },
  CommitConnectivity: {
    type: { kind: "choice", choices: ["server", "local"] },
    default: "server",
    meaning:
      "What makes an update permanent: reaching the server, or, while that is away, a connected network interface " +
      "with an address. A server that is reached and does not accept the device counts as a failure either way.",
    own: true,
  },
  AbortCheckIntervalSeconds: {
    type: seconds(0),
    default: 60,
    unit: "seconds",
    meaning: "How often the server is asked, during a download or an install, whether it was aborted; 0 for never.",
    own: true,
  },
  NoexecPrograms: {
    type: { kind: "choice", choices: ["fail", "interpreter"] },
    default: "fail",
    meaning:
      "What becomes of a state script of an artifact, or a payload of the type script, if the data directory's file " +
      "system is mounted noexec: its state fails, or it is given to the interpreter that its first line names.",
    own: true,
  },
  ArtifactVerifyKey: {
    type: path,
    meaning: "PEM public key that artifacts must be signed with. Not together with ArtifactVerifyKeys.",
  },
  ArtifactVerifyKeys: { type: paths, meaning: "Several such keys, one of which must fit." },
  DeviceTypeFile: {
    type: path,
    meaning: "The file that tells the device type; device_type in the data directory if absent.",
  },
  UpdateLogPath: { type: path, meaning: "Directory of the deployment logs; the data directory if absent." },
  DaemonLogLevel: {
    type: { kind: "choice", choices: ["trace", "debug", "info", "warning", "error", "fatal"] },
    default: "info",
    meaning: "The least severe level that is logged, if the command line names none.",
  },
  RootfsPartA: { type: text, meaning: "Read by the update module rootfs-image, not by the agent." },
  RootfsPartB: { type: text, meaning: "Read by the update module rootfs-image, not by the agent." },
} as const satisfies Record<string, KeyFacts>;

export type KeyName = keyof typeof KEYS;

/** Keys of the reference client that change nothing here, and why. A `.` at the end stands for all below. */
export const IDLE_KEYS: Readonly<Record<string, string>> = {
  "Connectivity.": "connections are always kept open for the requests of one round",
  "DBus.": "the agent offers nothing on D-Bus",
  "UpdateControlMap.": "update control maps are not asked for",
  UpdateControlMapExpirationTimeSeconds: "update control maps are not asked for",
  UpdateControlMapBootExpirationTimeSeconds: "update control maps are not asked for",
  BootUtilitiesSetActivePart: "the update module rootfs-image finds the boot loader's tools itself",
  BootUtilitiesGetNextActivePart: "the update module rootfs-image finds the boot loader's tools itself",
};
