import { AuthRequest, DEVICE_PATHS, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import type { Domain } from "../../domain.ts";
import { NO_STORE, text } from "../answers.ts";
import { type Route, route } from "../route.ts";

/** Authorisation of devices. Their `Authorization` header has no token here and is ignored. */
export function authorizeRoutes({ authentication }: Domain): Route[] {
  return [
    route({
      method: "POST",
      path: DEVICE_PATHS.authRequests,
      summary: "Ask to be let in",
      access: "public",
      headers: ["X-MEN-Signature"],
      body: { schema: AuthRequest, tooLarge: 400, unchecked: true },
      answers: {
        200: { description: "A token", mediaType: "application/jwt" },
        400: { description: "The request is malformed" },
        401: { description: "The signature is wrong, or the device is not accepted yet" },
      },
      handle: async ({ rawBody, request }) => {
        const signature = request.headers[SIGNATURE_HEADER];
        const attempt = { body: rawBody, signature: typeof signature === "string" ? signature : undefined };
        return text(await authentication.authorize(attempt), "application/jwt", NO_STORE);
      },
    }),
  ];
}
