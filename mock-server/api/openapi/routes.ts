import { createHash } from "node:crypto";
import * as z from "zod";
import { type Answer, json } from "../answers.ts";
import { type Route, route } from "../route.ts";
import { type OpenApiDocument, openApiDocument } from "./document.ts";
import { PAGE, PAGE_SCRIPT, PAGE_STYLE } from "./page.ts";

export const DOCUMENT_PATH = "/api/openapi.json";

/** The document is too long for an example of itself. */
const EXAMPLE = { openapi: "3.1.0" };

function hashOf(inline: string): string {
  return `'sha256-${createHash("sha256").update(inline).digest("base64")}'`;
}

/** Nothing but what the page itself holds runs, and it talks to this server alone. */
const POLICY = [
  "default-src 'none'",
  `script-src ${hashOf(PAGE_SCRIPT)}`,
  `style-src ${hashOf(PAGE_STYLE)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function page(): Answer {
  return {
    status: 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": POLICY,
      "referrer-policy": "no-referrer",
    },
    body: { text: PAGE },
  };
}

/** The description of `others` and of itself, for programs and for people. */
export function openApiRoutes(others: readonly Route[]): Route[] {
  let document: Omit<OpenApiDocument, "servers"> | undefined;
  const own: Route[] = [
    route({
      method: "GET",
      path: DOCUMENT_PATH,
      summary: "This document",
      access: "public",
      answers: {
        200: { description: "OpenAPI 3.1", schema: z.looseObject({ openapi: z.string() }), example: EXAMPLE },
      },
      handle: ({ baseUrl }) => {
        document ??= openApiDocument([...others, ...own]);
        return json({ ...document, servers: [{ url: baseUrl }] } satisfies OpenApiDocument);
      },
    }),
    route({
      method: "GET",
      path: "/api/docs",
      summary: "A page to read and try the API",
      access: "public",
      answers: { 200: { description: "The page", mediaType: "text/html" } },
      handle: page,
    }),
  ];
  return own;
}
