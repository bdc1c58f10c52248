import type { TestProject } from "vitest/node";
import { type PostgresServer, startPostgres } from "./server.ts";

let server: PostgresServer | undefined;

/** One server for all tests that run on PostgreSQL; each makes a schema of its own in it. */
export async function setup(project: TestProject): Promise<void> {
  server = await startPostgres();
  project.provide("postgresUrl", server.url);
}

export async function teardown(): Promise<void> {
  await server?.stop();
}

declare module "vitest" {
  interface ProvidedContext {
    readonly postgresUrl: string | undefined;
  }
}
