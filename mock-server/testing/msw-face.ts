/** What `upkeep-server/msw` offers. The build publishes this file as its declarations. */

import type { RequestHandler } from "msw";
import type { TestServer } from "./face.ts";

/** Handlers for msw: every request to the server's URL is answered by the server, without a socket. */
export declare function handlers(server: TestServer): RequestHandler[];
