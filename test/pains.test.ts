import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

/** A test: its file below test/, and its name as it stands there. */
type Shown = readonly [file: string, name: string];

interface Pain {
  /** What users of the reference client suffer from. */
  readonly pain: string;
  /** The tests that show that we do not have it. */
  readonly shown?: readonly Shown[];
  /** Why it cannot arise here. */
  readonly cannot?: string;
}

/** The known pains of the reference client, numbered from 1. */
const PAINS: readonly Pain[] = [
  {
    pain: "a resumed download that gives up, or a connection that is lost without a word, hangs the client for ever",
    shown: [
      ["agent/server/download.test.ts", "is given up after so many tries in a row that brought nothing"],
      ["agent/server/download.test.ts", "stalls no longer than the idle time, and goes on"],
      ["agent/system/network.test.ts", "give up on a peer that never answers, and on one that stops in the middle"],
    ],
  },
  {
    pain: "a restart loses a download, its retries count in all, a fault in one ends it, and an expired link stays expired",
    shown: [
      ["agent/server/download.test.ts", "goes on at the byte at which its connection broke, as often as needed"],
      ["agent/server/download.test.ts", "survives servers that fail, are busy or hang before they go on"],
      [
        "agent/daemon/process.test.ts",
        "installs what the server offers, over a connection that breaks again and again",
      ],
      [
        "agent/update/resumed-download.test.ts",
        "costs no more than its header and what was not yet durable, wherever it is killed",
      ],
      [
        "interop/resumed-download.test.ts",
        "goes on, and the server sends hardly more than once what is not compressed",
      ],
    ],
  },
  {
    pain: "an abort is noticed only between the states, and may cost a reboot",
    shown: [
      [
        "agent/update/abort.test.ts",
        "in the middle of the download stops at once: clean-up, no scripts of failure, no reboot",
      ],
      ["agent/update/abort.test.ts", "in the middle of the install ends it, and goes back"],
      ["agent/update/abort-by-server.test.ts", "a deployment that is aborted on the server in the middle of %s"],
    ],
  },
  {
    pain: "a server that is away after the update, or a clock that is not set, means a rollback that nobody can tune",
    shown: [
      ["agent/update/commit-proof.test.ts", "is tried for as long as configured, and then rolled back"],
      ["agent/update/commit-proof.test.ts", "is committed where a local network is enough, and says so"],
      [
        "agent/update/commit-proof.test.ts",
        "is named in the log, and waited for: the next try comes as soon as it is set",
      ],
    ],
  },
  {
    pain: "polling dies silently",
    shown: [
      ["agent/daemon/daemon.test.ts", "polls again, whichever call of %s throws"],
      ["agent/daemon/daemon.test.ts", "leaves it to systemd's watchdog when a poll never ends"],
      ["agent/server/backoff.test.ts", "is never without a pause, even if none is configured"],
    ],
  },
  {
    pain: "the inventory is not sent again to a server that accepted the device anew",
    shown: [
      ["agent/server/client.test.ts", "is sent again only when it changed or after a new log in"],
      ["agent/daemon/daemon.test.ts", "sends the inventory when a poll shows that the session is a new one"],
    ],
  },
  {
    pain: "a name with _INCONSISTENT sticks, and nobody knows why",
    shown: [["agent/update/engine.test.ts", "says in its log why a device calls itself inconsistent"]],
  },
  {
    pain: "the final result is lost, or a wrong one is told",
    shown: [
      [
        "agent/update/engine.test.ts",
        "keeps a final status until the server has it, lets nothing else begin, and never changes it",
      ],
      [
        "agent/update/power-cuts.test.ts",
        "keeps a success a success in whatever clean-up and reporting it is interrupted",
      ],
      ["campaign/campaign.test.ts", "power cut before and after every call"],
    ],
  },
  {
    pain: "a corrupt or oversized deployment log makes the server refuse it again and again",
    shown: [
      ["agent/update/deployment-log.test.ts", "marks what is corrupted, and says so at the top"],
      ["agent/update/deployment-log.test.ts", "keeps the end when it is too long for the server"],
    ],
  },
  {
    pain: "NO_PROXY with commas, dots or short host names does something else than it says",
    shown: [
      ["agent/server/proxies.test.ts", "excepts a host exactly if it is the entry, or the entry and a dot end it"],
      ["agent/server/proxies.test.ts", "means the same however its entries are separated, and whatever their order"],
    ],
  },
  {
    pain: "429 with a body trips the client",
    shown: [
      ["agent/server/client.test.ts", "429 with a past date"],
      ["agent/daemon/daemon.test.ts", "waits as long as the server asks for"],
    ],
  },
  {
    pain: "a state script that restarts the client's service is killed with it, and counts as failed",
    shown: [
      ["agent/update/engine.test.ts", "takes a restart of the program by a script before the reboot for the reboot"],
    ],
  },
  {
    pain: "a restart of D-Bus brings both daemons down",
    cannot: "There is one daemon, and it does not use D-Bus.",
  },
  {
    pain: "names in artifacts lead out of their directories, and gaps in the manifest pass",
    shown: [
      ["shared/artifact/refusals-of-headers.test.ts", "a payload type that climbs out"],
      ["shared/artifact/refusals-of-headers.test.ts", "a state script with a name that climbs out"],
      ["shared/artifact/refusals-of-payloads.test.ts", "a file that climbs out"],
      ["shared/artifact/refusals-of-payloads.test.ts", '"unlisted"'],
      ["shared/artifact/refusals-of-payloads.test.ts", '"missing"'],
    ],
  },
  {
    pain: "sizes above 4 GiB overflow",
    shown: [
      ["shared/artifact/large.test.ts", "a payload of 6 GiB passes, its size exact"],
      ["agent/modules/rootfs-image/write-image.test.ts", "places blocks beyond 4 GiB exactly"],
    ],
  },
  {
    pain: "a full disk hides behind a broken pipe of the module",
    shown: [
      ["agent/update/bad-input.test.ts", "a disk without room for a file"],
      ["agent/update/bad-input.test.ts", "a disk that is full before it said so"],
      ["interop/mender-client.test.ts", "then one fails and its log arrives"],
    ],
  },
  {
    pain: "an inventory or identity script that hangs holds everything up",
    shown: [["agent/device/device.test.ts", "does not wait for a program that hangs, nor for what it started"]],
  },
  {
    pain: "the documentation says something else than the code does",
    shown: [["docs/generated.test.ts", "has its part %s as the code says it (else: npm run docs)"]],
  },
  {
    pain: "a lost device type or key silently means a new device, or endless errors",
    shown: [
      ["agent/device/device.test.ts", "is named as missing with its file"],
      ["agent/device/device.test.ts", "is made once, for its owner alone"],
      ["agent/daemon/process.test.ts", "goes on polling while the device is not accepted, and says so"],
    ],
  },
  {
    pain: "a hosted server throttles devices that poll too often",
    shown: [
      ["agent/server/backoff.test.ts", "obeys the server's wish, within a day, and counts it as no try"],
      [
        "agent/daemon/daemon.test.ts",
        "does not send the inventory sooner than the server asks for, though polls go on",
      ],
    ],
  },
  {
    pain: "a delta update fails on a root file system that was ever mounted for writing",
    cannot:
      "We make and install no binary deltas of mounted file systems; rootfs-image writes whole images, and skips only blocks that it read and found equal.",
  },
  {
    pain: "bootstrap exits with 0 when the device was not let in; check-update and send-inventory need systemd",
    shown: [
      ["agent/cli/bootstrap.test.ts", "fails when the server does not let the device in, and says so"],
      ["agent/daemon/lock.test.ts", "reach it"],
      [
        "agent/daemon/process.test.ts",
        "polls and sends the inventory when it is told to, and stops when it is told to",
      ],
    ],
  },
  {
    pain: "without chance in polls and retries, fleets move as one",
    shown: [
      ["agent/daemon/schedule.test.ts", "is due at once, then after the interval and a random part of it"],
      ["agent/server/backoff.test.ts", "takes a random part away, so that a fleet does not come back as one"],
      ["agent/daemon/boot.test.ts", "waits for a random time when systemd starts the daemon with the machine"],
    ],
  },
  {
    pain: "programs outlive the state that started them",
    shown: [
      ["agent/scripts/scripts.test.ts", "are killed when they take too long"],
      [
        "agent/modules/streams.test.ts",
        "do not keep a module that hangs from being killed in time, with all that it started",
      ],
      ["agent/system/processes.test.ts", "signals the whole group, also when its leader has ended"],
    ],
  },
];

describe("the known pains of the reference client", () => {
  it("are 24, each shown or explained", () => {
    expect(PAINS).toHaveLength(24);
    for (const { pain, shown = [], cannot } of PAINS) {
      expect(shown.length > 0, pain).toBe(cannot === undefined);
      if (cannot !== undefined) expect(cannot, pain).toMatch(/^[A-Z].+\.$/);
    }
  });

  it.each(PAINS.flatMap(({ pain, shown = [] }, index) => shown.map((test) => ({ number: index + 1, pain, test }))))(
    "$number: $pain ($test.0)",
    ({ test: [file, name] }) => {
      expect(readFileSync(join(import.meta.dirname, file), "utf8")).toContain(name);
    },
  );
});
