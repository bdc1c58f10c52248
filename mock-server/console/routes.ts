import { gzipSync } from "node:zlib";
import { type Files, readFile, readTextFile } from "@upkeep/shared/system";
import type { Answer, HeaderFields } from "../api/answers.ts";
import { type ApiRequest, type Route, route } from "../api/route.ts";
import { ASSETS, CONTROL_PATHS, PAGE_PATHS } from "./paths.ts";

/** Only this server's scripts run, in a page that talks to this server alone. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-cache",
  "content-security-policy": POLICY,
  "referrer-policy": "no-referrer",
};

/** No file of the console is as large. */
const FILE_BYTES_MAX = 4_000_000;

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/** Where the page's links begin: a proxy may have removed a prefix from the path. */
const BASE = '<base href="/" />';
/** Tells the page that the server has test controls. */
const CONTROLS = '<meta name="upkeep-test-controls" />';

/**
 * The pages of the console, as `npm run build` makes them. They hold no data: these come from the API.
 * @param directory That of the built page.
 * @param hasControls The server has test controls, and the console a page for them.
 * @returns No routes if the page was not built.
 */
export async function consoleRoutes(files: Files, directory: string, hasControls = false): Promise<readonly Route[]> {
  const page = await readTextFile(files, `${directory}/index.html`, FILE_BYTES_MAX);
  if (page === undefined) return [];
  if (!page.includes(BASE)) throw new Error(`${directory}/index.html has no ${BASE}`);
  const paths = hasControls ? [...PAGE_PATHS, ...CONTROL_PATHS] : PAGE_PATHS;
  const pages = paths.map((path) =>
    route({
      method: "GET",
      path,
      summary: "A page of the console",
      access: "public",
      head: true,
      answers: { 200: { description: "HTML", mediaType: "text/html" } },
      handle: ({ client, request }) => {
        const html = page.replace(BASE, `<base href="${client.prefix}/" />${hasControls ? CONTROLS : ""}`);
        return compressible(request, PAGE_HEADERS, Buffer.from(html), (bytes) => gzipSync(bytes));
      },
    }),
  );
  const assets: Route[] = [];
  for (const { name } of await files.list(directory + ASSETS)) {
    const mediaType = MEDIA_TYPES[name.slice(name.lastIndexOf(".") + 1)];
    const content = await readFile(files, `${directory}${ASSETS}/${name}`, FILE_BYTES_MAX);
    if (mediaType !== undefined && content !== undefined) assets.push(asset(name, mediaType, content));
  }
  return [...pages, ...assets];
}

function asset(name: string, mediaType: string, content: Uint8Array): Route {
  const bytes = Buffer.from(content);
  let compressed: Buffer | undefined;
  const headers = { "content-type": mediaType, "cache-control": "public, max-age=31536000, immutable" };
  return route({
    method: "GET",
    path: `${ASSETS}/${name}`,
    summary: "A part of the console",
    access: "public",
    head: true,
    answers: { 200: { description: "The part", mediaType } },
    handle: ({ request }) =>
      compressible(request, headers, bytes, () => {
        compressed ??= gzipSync(bytes, { level: 9 });
        return compressed;
      }),
  });
}

/** Compressed, if the client takes that. */
function compressible(
  { headers: asked }: ApiRequest,
  headers: HeaderFields,
  bytes: Buffer,
  compress: (bytes: Buffer) => Buffer,
): Answer {
  const varying = { ...headers, vary: "Accept-Encoding" };
  if (!/\bgzip\b(?!\s*;\s*q=0(?:\.0+)?\s*(?:,|$))/i.test(String(asked["accept-encoding"] ?? ""))) {
    return { status: 200, headers: varying, body: { bytes } };
  }
  return { status: 200, headers: { ...varying, "content-encoding": "gzip" }, body: { bytes: compress(bytes) } };
}
