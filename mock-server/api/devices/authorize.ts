import { AuthRequest, DEVICE_PATHS, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import type { Domain } from "../../domain.ts";
import { NO_STORE, text } from "../answers.ts";
import { type Route, route } from "../route.ts";

/** Devices ask to be let in. What they send as `Authorization` here is no token, and is not looked at. */
export function authorizeRoutes({ authentication }: Domain): Route[] {
  return [
    route({
      method: "POST",
      path: DEVICE_PATHS.authRequests,
      summary: "Ask to be let in",
      access: "public",
      body: { schema: AuthRequest, tooLarge: 400, unchecked: true },
      answers: {
        200: { description: "A token", mediaType: "application/jwt" },
        400: { description: "The request is malformed" },
        401: { description: "The signature is wrong, or nobody has accepted the device yet" },
      },
      handle: async ({ rawBody, request }) => {
        const signature = request.headers[SIGNATURE_HEADER];
        const attempt = { body: rawBody, signature: typeof signature === "string" ? signature : undefined };
        return text(await authentication.authorize(attempt), "application/jwt", NO_STORE);
      },
    }),
  ];
}
