import { defineConfig } from "vitest/config";
import { POSTGRES_MISSING, postgresPrograms } from "./test/mock-server/postgres/server.ts";
import { HANG_MS, WAIT_MS } from "./test/support/patience.ts";

/** What is the same whatever keeps the records: these tests run on each engine. */
const ON_EVERY_ENGINE = ["deployments", "devices", "users", "specification", "storage/records"].map(
  (folder) => `test/mock-server/${folder}/**/*.test.ts`,
);

function postgresIsThere(): boolean {
  if (postgresPrograms() !== undefined) return true;
  if (process.env.CI) throw new Error(POSTGRES_MISSING);
  process.stderr.write(`No tests on PostgreSQL. ${POSTGRES_MISSING}\n`);
  return false;
}

const postgres = {
  extends: true,
  test: {
    name: "postgres",
    include: ON_EVERY_ENGINE,
    env: { UPKEEP_TEST_RECORDS: "postgres" },
    globalSetup: "test/mock-server/postgres/setup.ts",
  },
} as const;

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    pool: "forks",
    testTimeout: HANG_MS,
    hookTimeout: HANG_MS,
    // Real processes, sockets and databases, which mostly wait: two cores bear three files at a time.
    maxWorkers: 3,
    expect: { poll: { timeout: WAIT_MS } },
    ...(process.env.UPKEEP_TEST_TIMES === undefined
      ? {}
      : { reporters: ["default", "json"], outputFile: { json: process.env.UPKEEP_TEST_TIMES } }),
    projects: [
      { extends: true, test: { name: "all", include: ["test/**/*.test.ts"] } },
      { extends: true, test: { name: "file", include: ON_EVERY_ENGINE, env: { UPKEEP_TEST_RECORDS: "file" } } },
      ...(postgresIsThere() ? [postgres] : []),
    ],
  },
});
