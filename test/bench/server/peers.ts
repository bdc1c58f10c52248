import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { until } from "../../support/waiting.ts";

/** Where nginx is, if it is installed. */
export function findNginx(): string | undefined {
  return ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"].find((path) => existsSync(path));
}

/** nginx as a plain file server for `folder`, one worker, as it serves large files best. */
export async function startNginx(
  nginx: string,
  folder: string,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const port = await freePort();
  const config = join(folder, "nginx.conf");
  const user = process.getuid?.() === 0 ? "user root;" : "";
  writeFileSync(
    config,
    `daemon off; ${user} pid ${folder}/nginx.pid; error_log stderr; worker_processes 1; events {}
    http { access_log off; sendfile on; tcp_nopush on; server { listen 127.0.0.1:${port}; root ${folder}; } }`,
  );
  const child = spawn(nginx, ["-c", config], { stdio: ["ignore", "ignore", "inherit"] });
  const ended = once(child, "close");
  await until("nginx answers", async () => ((await answers(port)) ? true : undefined));
  return {
    port,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error) return false;
    throw error;
  } finally {
    socket.destroy();
  }
}
