import { HttpResponse, http } from "msw";
import type * as face from "./msw-face.ts";

/** See the face: what a connection that breaks looks like to msw is a network error. */
export const handlers: typeof face.handlers = (server) => [
  http.all(`${server.url}/*`, async ({ request }) => {
    try {
      return await server.handle(request);
    } catch (error) {
      if (error instanceof TypeError) return HttpResponse.error();
      throw error;
    }
  }),
];
