import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import type { FleetDevice } from "./fleet.ts";

/** A request as it goes over the line. */
export function request(method: string, path: string, token: string, body: unknown): string {
  const json = JSON.stringify(body);
  return [
    `${method} ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    `Authorization: Bearer ${token}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(json)}`,
    "",
    json,
  ].join("\r\n");
}

/** What a device sends to ask what to install. */
export function poll({ token }: FleetDevice): string {
  return request("POST", DEVICE_PATHS.nextV2, token, {
    device_provides: { device_type: "bench", artifact_name: "factory", "rootfs-image.version": "factory" },
  });
}

export function report({ token }: FleetDevice, deployment: string, status: string): string {
  return request("PUT", DEVICE_PATHS.status(deployment), token, { status });
}

export function inventory({ token }: FleetDevice): string {
  return request("PATCH", DEVICE_PATHS.inventory, token, [{ name: "kernel", value: "6.1" }]);
}
