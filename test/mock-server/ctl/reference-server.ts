import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const V1 = "/api/management/v1";
const V2 = "/api/management/v2";
const DEPLOYMENTS = `${V1}/deployments/deployments`;
const ARTIFACTS = `${V1}/deployments/artifacts`;

/** The management API of the reference's open server, as its documents list it. */
const ROUTES: Readonly<Record<string, string>> = {
  [`${V1}/useradm/auth/login`]: "POST",
  [`${V1}/useradm/auth/logout`]: "POST",
  [`${V1}/useradm/users`]: "GET POST",
  [`${V1}/useradm/users/{}`]: "GET PUT DELETE",
  [`${V1}/useradm/settings/tokens`]: "GET POST",
  [`${V1}/useradm/settings/tokens/{}`]: "DELETE",
  [`${V2}/devauth/devices`]: "GET POST",
  [`${V2}/devauth/devices/search`]: "POST",
  [`${V2}/devauth/devices/count`]: "GET",
  [`${V2}/devauth/devices/{}`]: "GET DELETE",
  [`${V2}/devauth/devices/{}/auth/{}`]: "DELETE",
  [`${V2}/devauth/devices/{}/auth/{}/status`]: "GET PUT",
  [`${V1}/inventory/devices`]: "GET",
  [`${V1}/inventory/devices/{}`]: "GET DELETE",
  [`${V1}/inventory/devices/{}/tags`]: "PUT PATCH",
  [`${V1}/inventory/devices/{}/group`]: "GET PUT",
  [`${V1}/inventory/groups`]: "GET",
  [`${V1}/inventory/groups/{}`]: "DELETE",
  [`${V1}/inventory/groups/{}/devices`]: "GET DELETE PATCH",
  [`${V2}/inventory/filters/attributes`]: "GET",
  [`${V2}/inventory/filters/search`]: "POST",
  [`${V2}/inventory/statistics`]: "GET",
  [DEPLOYMENTS]: "GET POST",
  [`${DEPLOYMENTS}/group/{}`]: "POST",
  [`${DEPLOYMENTS}/{}`]: "GET",
  [`${DEPLOYMENTS}/{}/status`]: "PUT",
  [`${DEPLOYMENTS}/{}/statistics`]: "GET",
  [`${DEPLOYMENTS}/{}/devices`]: "GET",
  [`${DEPLOYMENTS}/{}/devices/list`]: "GET",
  [`${DEPLOYMENTS}/{}/device_list`]: "GET",
  [`${DEPLOYMENTS}/{}/devices/{}/log`]: "GET",
  [`${DEPLOYMENTS}/devices/{}`]: "GET DELETE",
  [`${DEPLOYMENTS}/releases`]: "GET",
  [ARTIFACTS]: "GET POST",
  [`${ARTIFACTS}/list`]: "GET",
  [`${ARTIFACTS}/{}`]: "GET PUT DELETE",
  [`${ARTIFACTS}/directupload`]: "POST",
  [`${ARTIFACTS}/directupload/{}/complete`]: "POST",
  /** The reference's store. */
  [`${ARTIFACTS}/directupload/{}`]: "PUT",
  [`${V2}/deployments/deployments`]: "GET",
};

/** Fields that only our server has. */
const OWN_FIELDS = new Set([
  ...["last_contact_ts", "overdue", "paused", "retry_of", "silent_after", "places", "state", "role", "reason"],
  ...["waiting_for", "asked", "failed_attempts", "unreachable", "success_threshold", "error_threshold"],
]);

function isKnown(method: string, path: string): boolean {
  return Object.entries(ROUTES).some(
    ([route, methods]) =>
      methods.split(" ").includes(method) && new RegExp(`^${route.replaceAll("{}", "[^/]+")}$`).test(path),
  );
}

function withoutOwnFields(text: string): string {
  return JSON.stringify(
    JSON.parse(text, function (this: unknown, key: string, value: unknown) {
      return OWN_FIELDS.has(key) && !Array.isArray(this) ? undefined : value;
    }),
  );
}

export interface ReferenceServer {
  readonly url: string;
  /** `METHOD path` of each request that it knows nothing of. */
  readonly unknown: readonly string[];
  stop(): void;
}

/** A server in front of ours that knows the reference's operations and fields, and no others. */
export async function startReferenceServer(ourUrl: string): Promise<ReferenceServer> {
  const unknown: string[] = [];
  const server = createServer((message, answer) => {
    const { method = "", url = "" } = message;
    const path = url.split("?")[0] ?? "";
    if (isKnown(method, path)) void pass(ourUrl, message, answer);
    else {
      unknown.push(`${method} ${path}`);
      message.resume();
      answer.writeHead(404, { "content-type": "text/plain" }).end("404 page not found");
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    unknown,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function pass(ourUrl: string, message: IncomingMessage, answer: ServerResponse): Promise<void> {
  const { method = "", url = "", headers } = message;
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  if (method === "PUT" && url.endsWith("/status") && url.includes("/deployments/") && !body.includes('"aborted"')) {
    answer.writeHead(400, { "content-type": "application/json" });
    answer.end('{"error": "Unexpected deployment status"}');
    return;
  }
  // With the host that the client has asked: links lead through here.
  const forwarded = request(ourUrl + url, { method, headers }, (ours) => {
    const parts: Buffer[] = [];
    ours.on("data", (part: Buffer) => parts.push(part));
    ours.on("end", () => {
      const { "content-length": _, "x-upkeep-warning": __, ...rest } = ours.headers;
      const text = Buffer.concat(parts);
      const isJson = ours.headers["content-type"]?.includes("json") === true && text.length > 0;
      answer.writeHead(ours.statusCode ?? 500, rest).end(isJson ? withoutOwnFields(text.toString()) : text);
    });
  });
  forwarded.on("error", () => answer.destroy());
  forwarded.end(body);
}
