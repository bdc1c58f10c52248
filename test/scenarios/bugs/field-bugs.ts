import { type HttpResponse, replaceFile, type System, SystemError } from "@upkeep/shared/system";
import { AgentError, type OpenArtifact } from "upkeep/index.ts";
import type { PlantedBug } from "./bug.ts";
import { withParts } from "./wrapping.ts";

const QUARTER_OF_AN_HOUR_MS = 900_000;
const A_DAY_MS = 86_400_000;

/** The agent's network, with other answers. */
function answering(change: (answer: HttpResponse, system: System) => HttpResponse) {
  return (system: System): System => ({
    ...system,
    network: { request: async (request) => change(await system.network.request(request), system) },
  });
}

/** A body that ends with an error once that much time has passed. */
async function* limited(body: HttpResponse["body"], { clock }: System): AsyncGenerator<Uint8Array> {
  const endMs = clock.monotonic() + QUARTER_OF_AN_HOUR_MS;
  for await (const chunk of body) {
    if (clock.monotonic() > endMs) throw new SystemError("ETIMEDOUT", "the exchange took too long");
    yield chunk;
  }
}

/** Programs get other signals, or end in another way. */
function programs(change: Partial<{ code: (code: number) => number; mayEnd: boolean }>) {
  const { code = (same) => same, mayEnd = true } = change;
  return (system: System): System => ({
    ...system,
    processes: {
      onSignal: (name, action) => system.processes.onSignal(name, action),
      start: async (spec) => {
        const started = await system.processes.start(spec);
        return {
          pid: started.pid,
          signal: (name) => {
            if (mayEnd) started.signal(name);
          },
          exit: started.exit.then((exit) => ("code" in exit ? { code: code(exit.code) } : exit)),
        };
      },
    },
  });
}

const DATASTORE = "/var/lib/mender";

/** No room is set aside for the journal, and no module cleans up as long as there is none. */
function withoutRoomForTheJournal(system: System): System {
  const { files, processes } = system;
  return {
    ...system,
    files: withParts(files, {
      open: async (path, mode, permissions) => {
        if (path.endsWith(".spare")) throw new SystemError("ENOSPC", `no room for ${path}`);
        return await files.open(path, mode, permissions);
      },
    }),
    processes: {
      onSignal: (name, action) => processes.onSignal(name, action),
      start: async (spec) => {
        if (spec.args[0] !== "Cleanup" || (await files.freeBytes(DATASTORE)) > 0) return await processes.start(spec);
        return { pid: 0, exit: Promise.resolve({ code: 0 }), signal: () => undefined };
      },
    },
  };
}

/** Artifacts say that they are for whatever asks. */
const forEveryBoard =
  (open: OpenArtifact): OpenArtifact =>
  async (source, options) => {
    const reading = await open(source, options);
    return withParts(reading, { header: { ...reading.header, deviceTypes: [...reading.header.deviceTypes, "board"] } });
  };

/** The payload is over when nothing more comes. */
const endingAnywhere =
  (open: OpenArtifact): OpenArtifact =>
  async (source, options) => {
    const reading = await open(source, options);
    const patient = async function* <T>(content: AsyncIterable<T>) {
      try {
        yield* content;
      } catch (error) {
        if (!(error instanceof Error) || !error.message.includes("ends too early")) throw error;
      }
    };
    return withParts(reading, {
      payloads: async function* () {
        for await (const payload of patient(reading.payloads()))
          yield withParts(payload, {
            files: async function* () {
              for await (const file of patient(payload.files()))
                yield withParts(file, { content: patient(file.content) });
            },
          });
      },
    });
  };

/** Mistakes that show themselves in the field: on bad lines, with full disks, by night, after a year. */
export const FIELD_BUGS: readonly PlantedBug[] = [
  {
    name: "the page of a portal is an answer",
    foundBy: ["01-network/captive-portal"],
    agent: {
      system: answering((answer) => {
        const { "content-type": _, ...headers } = answer.headers;
        return { ...answer, headers };
      }),
    },
  },
  {
    name: "what a proxy compressed is taken as it is",
    foundBy: ["02-server-answers/answers-in-an-encoding-that-was-not-asked-for"],
    agent: {
      system: answering((answer) => {
        const { "content-encoding": _, ...headers } = answer.headers;
        return { ...answer, headers };
      }),
    },
  },
  {
    name: "an answer is waited for without a limit",
    foundBy: ["01-network/proxy-takes-the-connection-and-hangs"],
    agent: {
      system: (system) => ({
        ...system,
        network: {
          request: ({ signal: _, ...request }) => system.network.request({ ...request, idleTimeoutMs: A_DAY_MS }),
        },
      }),
    },
  },
  {
    name: "a download may take a quarter of an hour",
    foundBy: ["01-network/slow-link-for-hours"],
    agent: { system: answering((answer, system) => ({ ...answer, body: limited(answer.body, system) })) },
  },
  {
    name: "a link that is refused is not renewed",
    foundBy: ["03-downloads/link-expires-in-the-middle"],
    agent: {
      system: answering((answer) => (answer.status === 403 ? { ...answer, status: 402 } : answer)),
    },
  },
  {
    name: "how far a download is gets forgotten",
    foundBy: ["03-downloads/interrupted-for-days"],
    agent: {
      store: (store) =>
        withParts(store, {
          save: async ({ update, ...change }) => {
            if (update === undefined) return await store.save(change);
            if (update === null) return await store.save({ ...change, update });
            const position =
              update.position.kind === "downloading"
                ? ({ kind: "downloading", state: "Download" } as const)
                : update.position;
            return await store.save({ ...change, update: { ...update, position } });
          },
        }),
    },
  },
  {
    name: "an artifact is for every board",
    foundBy: ["04-artifacts/made-for-another-board"],
    agent: { openArtifact: forEveryBoard },
  },
  {
    name: "the end of a connection is the end of the artifact",
    foundBy: ["04-artifacts/truncated-in-the-store"],
    agent: { openArtifact: endingAnywhere },
  },
  {
    name: "nobody looks whether it is still the same object",
    foundBy: ["03-downloads/object-changes-under-the-download"],
    agent: {
      system: answering((answer) => {
        const { etag: _, "last-modified": __, ...headers } = answer.headers;
        return { ...answer, headers };
      }),
    },
  },
  {
    name: "what hangs is waited for",
    foundBy: ["06-update-modules/module-hangs"],
    agent: { system: programs({ mayEnd: false }) },
  },
  {
    name: "a script that asks for patience has failed",
    foundBy: ["07-state-scripts/script-asks-to-come-back-later"],
    agent: { system: programs({ code: (code) => (code === 21 ? 1 : code) }) },
  },
  {
    name: "what cannot be written down counts as written",
    foundBy: ["09-disk/disk-full-at-the-commit"],
    agent: {
      store: (store) =>
        withParts(store, {
          save: async (change) => {
            try {
              await store.save(change);
            } catch (error) {
              if (!(error instanceof SystemError)) throw error;
            }
          },
        }),
    },
  },
  {
    name: "what a full disk keeps from being written down is not cleaned up",
    foundBy: ["09-disk/module-fills-the-disk"],
    agent: { system: withoutRoomForTheJournal },
  },
  {
    name: "why the disk could not be written is not told",
    foundBy: ["09-disk/no-inode-is-left"],
    agent: {
      server: (server) =>
        withParts(server, {
          sendLog: (deployment, messages, signal) => {
            const told = messages.map((one) => ({ ...one, message: one.message.replaceAll("ENOSPC", "a fault") }));
            return server.sendLog(deployment, told, signal);
          },
        }),
    },
  },
  {
    name: "what cannot be run is left out",
    foundBy: ["09-disk/data-partition-is-noexec"],
    agent: {
      system: (system) => ({
        ...system,
        files: withParts(system.files, {
          isExecutable: async (path) => !path.startsWith(`${DATASTORE}/`) && (await system.files.isExecutable(path)),
        }),
      }),
    },
  },
  {
    name: "nothing is asked of the server while the lock cannot be written",
    foundBy: ["09-disk/data-directory-cannot-be-written-at-start"],
    agent: {
      system: (system) => ({
        ...system,
        network: {
          request: async (request) => {
            await replaceFile(system.files, `${DATASTORE}/upkeep.lock`, "1 daemon\n");
            await system.files.remove(`${DATASTORE}/upkeep.lock`);
            return await system.network.request(request);
          },
        },
      }),
    },
  },
  {
    name: "time is measured with a clock that can be set",
    foundBy: ["10-time/clock-jumps"],
    agent: {
      system: (system) => ({
        ...system,
        clock: { now: () => system.clock.now(), monotonic: () => system.clock.now() },
      }),
    },
  },
  {
    name: "an update may begin at any time",
    foundBy: ["10-time/maintenance-window"],
    agent: { system: (system) => ({ ...system, cron: withParts(system.cron, { matches: async () => true }) }) },
  },
  {
    name: "waiting takes half as long",
    foundBy: ["11-patience/a-week-of-nothing"],
    agent: {
      system: (system) => ({
        ...system,
        timers: {
          after: (delayMs, action) => system.timers.after(delayMs, action),
          sleep: (delayMs, signal) => system.timers.sleep(delayMs / 2, signal),
        },
        clock: { now: () => system.clock.now(), monotonic: () => system.clock.monotonic() * 2 },
      }),
    },
  },
  {
    name: "new software need not reach the server",
    foundBy: ["01-network/new-software-has-no-network"],
    agent: {
      server: (server) =>
        withParts(server, {
          loginAfresh: async () => undefined,
          report: async (deployment, status, signal) => {
            try {
              return await server.report(deployment, status, signal);
            } catch (error) {
              if (status !== "installing") throw error;
              return "accepted";
            }
          },
        }),
    },
  },
  {
    name: "a log that is too long is sent again and again",
    foundBy: ["02-server-answers/413-the-log-is-too-long"],
    agent: {
      server: (server) =>
        withParts(server, {
          sendLog: async (deployment, messages, signal) => {
            const taken = await server.sendLog(deployment, messages, signal);
            if (taken === "refused") throw new AgentError("request-refused", "the log is refused", { retryable: true });
            return taken;
          },
        }),
    },
  },
  {
    name: "an inventory that was not taken counts as sent",
    foundBy: ["02-server-answers/inventory-is-not-taken"],
    agent: {
      client: (client) =>
        withParts(client, {
          hasInventory: true,
          sendInventory: async (attributes, signal) => {
            try {
              return await client.sendInventory(attributes, signal);
            } catch (error) {
              if (!(error instanceof AgentError)) throw error;
              return true;
            }
          },
        }),
    },
  },
];
