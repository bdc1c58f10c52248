import { createHash } from "node:crypto";
import type { HttpRequest, HttpResponse, ProcessExit, System } from "@upkeep/shared/system";
import { AgentError, type OpenArtifact } from "upkeep/index.ts";
import { journalAfterTheAct } from "../../campaign/broken.ts";
import type { PlantedBug } from "./bug.ts";
import { withParts } from "./wrapping.ts";

/** The network of the agent, with another way to make requests. */
function requesting(
  request: (request: HttpRequest, send: (request: HttpRequest) => Promise<HttpResponse>) => Promise<HttpResponse>,
) {
  return (system: System): System => ({
    ...system,
    network: { request: (one) => request(one, (other) => system.network.request(other)) },
  });
}

/** The agent never makes these calls of an update module, and takes them for done. */
function withoutModuleCall(call: string) {
  return (system: System): System => ({
    ...system,
    processes: {
      onSignal: (name, action) => system.processes.onSignal(name, action),
      start: (spec) =>
        spec.args[0] === call && spec.command.includes("/modules/")
          ? Promise.resolve({ pid: 0, exit: Promise.resolve<ProcessExit>({ code: 0 }), signal: () => undefined })
          : system.processes.start(spec),
    },
  });
}

const isDownload = ({ url }: HttpRequest): boolean => url.includes("/deployments/download/");

/** The request goes to the server itself, although a proxy is named. */
function directly({ proxy: _, ...request }: HttpRequest): HttpRequest {
  return request;
}

function rangeOf({ headers }: HttpRequest): number | undefined {
  const start = /^bytes=(\d+)-/.exec(headers?.range ?? "")?.[1];
  return start === undefined ? undefined : Number(start);
}

/** The artifact as it came, with the checksum of what came in its manifest: whatever it is, it is right. */
function withRightChecksum(artifact: Buffer): Buffer {
  const listed = /[0-9a-f]{64}(?= {2}data\/0000\/payload)/.exec(artifact.toString("latin1"));
  const outer = artifact.indexOf("data/0000.tar\0");
  if (listed === null || outer < 0) return artifact;
  const header = outer + 512;
  const sizeBytes = Number.parseInt(artifact.toString("latin1", header + 124, header + 136), 8);
  const content = artifact.subarray(header + 512, header + 512 + sizeBytes);
  artifact.write(createHash("sha256").update(content).digest("hex"), listed.index, "latin1");
  return artifact;
}

const unchecked =
  (open: OpenArtifact): OpenArtifact =>
  async (source, options) => {
    const chunks: Buffer[] = [];
    for await (const chunk of source) chunks.push(Buffer.from(chunk));
    const artifact = withRightChecksum(Buffer.concat(chunks));
    const content = (async function* () {
      yield artifact;
    })();
    return await open(content, options);
  };

/** Mistakes of the agent. */
export const AGENT_BUGS: readonly PlantedBug[] = [
  {
    name: "the journal is written after the act",
    foundBy: ["power-cut-while-installing"],
    agent: { store: journalAfterTheAct },
  },
  {
    name: "a download goes on at the wrong place",
    foundBy: ["link-drops-every-3-mb"],
    agent: {
      system: requesting(async (request, send) => {
        const start = rangeOf(request);
        if (start === undefined) return await send(request);
        const answer = await send({ ...request, headers: { ...request.headers, range: `bytes=${start - 512}-` } });
        const range = String(answer.headers["content-range"]).replace(`${start - 512}-`, `${start}-`);
        return { ...answer, headers: { ...answer.headers, "content-range": range } };
      }),
    },
  },
  {
    name: "a download that broke begins from the first byte",
    foundBy: ["link-drops-every-3-mb"],
    agent: {
      system: requesting(async (request, send) => {
        const { range: _, "if-range": __, ...headers } = request.headers ?? {};
        return await send({ ...request, headers });
      }),
    },
  },
  {
    name: "a download that broke has failed",
    foundBy: ["link-drops-every-3-mb"],
    agent: {
      system: requesting(async (request, send) =>
        rangeOf(request) === undefined ? await send(request) : { ...(await send(request)), status: 404 },
      ),
    },
  },
  {
    name: "the checksum of the payload is not checked",
    foundBy: ["payload-corrupted-on-the-way"],
    agent: { openArtifact: unchecked },
  },
  {
    name: "signatures are not verified",
    foundBy: ["signed-by-somebody-else"],
    agent: {
      openArtifact: (open) => (source, options) => open(source, { ...options, verifyKeys: [] }),
    },
  },
  {
    name: "the outcome is reported once, and then lost",
    foundBy: ["outcome-report-gets-lost"],
    agent: {
      server: (server) =>
        withParts(server, {
          report: async (deployment, status, signal) => {
            try {
              return await server.report(deployment, status, signal);
            } catch (error) {
              if (status !== "success" && status !== "failure") throw error;
              return "accepted";
            }
          },
        }),
    },
  },
  {
    name: "what the device provides is not updated",
    foundBy: ["success"],
    agent: {
      store: (store) =>
        withParts(store, {
          save: ({ provides: _, ...change }) => store.save(change),
        }),
    },
  },
  {
    name: "that the deployment was aborted is not noticed",
    foundBy: ["abort-while-downloading"],
    agent: {
      server: (server) =>
        withParts(server, {
          report: async (deployment, status, signal) => {
            await server.report(deployment, status, signal);
            return "accepted";
          },
        }),
    },
  },
  {
    name: "Retry-After is not obeyed",
    foundBy: ["server-busy-retry-after"],
    agent: {
      client: (client) =>
        withParts(client, {
          poll: async (provides, signal) => {
            try {
              return await client.poll(provides, signal);
            } catch (error) {
              if (!(error instanceof AgentError)) throw error;
              throw new AgentError(error.code, error.message, { retryable: error.retryable });
            }
          },
        }),
    },
  },
  {
    name: "a download does not go through the proxy",
    foundBy: ["proxy-does-not-connect-to-the-server"],
    agent: {
      system: requesting(async (request, send) => await send(isDownload(request) ? directly(request) : request)),
    },
  },
  {
    name: "a proxy that does not connect is waited for without end",
    foundBy: ["proxy-does-not-connect-to-the-server"],
    agent: {
      system: requesting(async (request, send) => await send({ ...request, idleTimeoutMs: 86_400_000 })),
    },
  },
  {
    name: "a token that has expired is not renewed",
    foundBy: ["token-expires"],
    agent: {
      system: requesting(async (request, send) => {
        const answer = await send(request);
        return answer.status === 401 ? { ...answer, status: 403 } : answer;
      }),
    },
  },
  {
    name: "the log of a failure is not sent",
    foundBy: ["power-cut-while-installing"],
    agent: { server: (server) => withParts(server, { sendLog: async () => "accepted" }) },
  },
  {
    name: "nothing is rolled back",
    foundBy: ["retry-after-failure"],
    agent: { system: withoutModuleCall("ArtifactRollback") },
  },
  {
    name: "nobody checks what came up after the reboot",
    foundBy: ["new-system-does-not-boot"],
    agent: { system: withoutModuleCall("ArtifactVerifyReboot") },
  },
  {
    name: "nothing is tidied up",
    foundBy: ["success"],
    agent: { system: withoutModuleCall("Cleanup") },
  },
];
