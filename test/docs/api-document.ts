import { join } from "node:path";
import type { OpenApiDocument } from "../../mock-server/api/openapi/document.ts";
import { startServer } from "../../mock-server/testing/index.ts";

/** The types of the management API, for the console. */
export const CONSOLE_TYPES = join(import.meta.dirname, "../../mock-server/console/page/api-types.ts");

/** The API document as a server gives it. */
export async function apiDocument(): Promise<OpenApiDocument> {
  await using server = await startServer();
  const answer = await server.handle(new Request(`${server.url}/api/openapi.json`));
  return (await answer.json()) as OpenApiDocument;
}
