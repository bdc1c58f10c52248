import type { ServerResponse } from "node:http";
import { createLogger } from "@upkeep/shared/logging";
import { isSystemError } from "@upkeep/shared/system";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BUCKET, type RunningS3, S3_KEYS, startS3 } from "../../../support/s3.ts";
import { openTestBucket, systemClock } from "./bucket.ts";

const NAME = "0082f4c4-77de-48ec-be72-af837efdca6e";
const OTHER = "1182f4c4-77de-48ec-be72-af837efdca6e";
const PART_BYTES = 8 * 1024 * 1024;
const LINK = { lifeMs: 60_000, fileName: "release-1.mender" };

let s3: RunningS3;
beforeEach(async () => {
  s3 = await startS3();
});
afterEach(() => s3.stop());

function xml(response: ServerResponse, status: number, body: string): true {
  response.writeHead(status, { "content-type": "application/xml" }).end(`<?xml version="1.0"?>${body}`);
  return true;
}

const fault = (response: ServerResponse, status: number, code: string): true =>
  xml(response, status, `<Error><Code>${code}</Code><Message>no</Message></Error>`);

const writes = (): string[] =>
  s3.requests.filter(({ method, url }) => method === "PUT" && url.includes(NAME)).map(({ url }) => url);

describe("writing to a bucket", () => {
  test("takes one request if it is small, and parts of one size if it is large", async () => {
    const blobs = await openTestBucket(s3);
    const small = await blobs.create(NAME);
    await small.write(Buffer.alloc(1000));
    await small.commit();
    expect(writes()).toHaveLength(1);
    await blobs.remove(NAME);
    const large = await blobs.create(NAME);
    await large.write(Buffer.alloc(2 * PART_BYTES + 1));
    await large.commit();
    const parts = s3.requests.filter(({ method, url }) => method === "PUT" && url.includes("partNumber="));
    expect(parts.map(({ headers }) => Number(headers["content-length"]))).toEqual([PART_BYTES, PART_BYTES, 1]);
    expect((await blobs.open(NAME))?.sizeBytes).toBe(2 * PART_BYTES + 1);
  });

  test("sends what is ready while more comes, and holds no more than two parts", async () => {
    const blobs = await openTestBucket(s3);
    const held: ServerResponse[] = [];
    let release = (): void => undefined;
    s3.answerInstead((request, response) => {
      if (!request.url?.includes("partNumber=1")) return false;
      request.resume();
      held.push(response);
      release = () => response.writeHead(200, { etag: '"1"' }).end();
      return true;
    });
    const writer = await blobs.create(NAME);
    const part = Buffer.alloc(PART_BYTES);
    await writer.write(part);
    await writer.write(part);
    // The first is on its way, the second is full: a third waits for the first.
    let third = "waits";
    const writing = writer.write(Buffer.alloc(1)).then(() => {
      third = "taken";
    });
    await expect.poll(() => held.length).toBe(1);
    expect(third).toBe("waits");
    s3.answerInstead(() => false);
    release();
    await writing;
    await writer.discard();
  });

  test("that fails says so, and forgets the parts that arrived", async () => {
    const blobs = await openTestBucket(s3);
    s3.answerInstead(
      (request, response) => request.url?.includes("partNumber=2") === true && fault(response, 403, "AccessDenied"),
    );
    const writer = await blobs.create(NAME);
    await writer.write(Buffer.alloc(PART_BYTES * 2 + 1));
    await expect(writer.commit()).rejects.toThrow("no");
    await writer.discard();
    const aborted = s3.requests.filter(({ method, url }) => method === "DELETE" && url.includes("uploadId="));
    expect(aborted).toHaveLength(1);
    expect(await blobs.names()).toEqual([]);
  });

  test("that fails puts no key, no token and no signature into the log", async () => {
    const credentials = { ...S3_KEYS, sessionToken: "a session's token" };
    const blobs = await openTestBucket(s3, { credentials });
    s3.answerInstead((_, response) => fault(response, 403, "AccessDenied"));
    const error: unknown = await blobs.names().catch((caught: unknown) => caught);
    const lines: string[] = [];
    const logger = createLogger({ level: "info", format: "json", write: (line) => lines.push(line), now: () => 0 });
    logger.error("it failed", { error });
    expect(lines.join("")).toContain("AccessDenied");
    for (const secret of ["Signature", "session's token", "authorization"])
      expect(lines.join("")).not.toContain(secret);
  });

  test("where another server was quicker is refused, and leaves what is there", async () => {
    const blobs = await openTestBucket(s3);
    const writer = await blobs.create(NAME);
    s3.answerInstead((request, response) => {
      if (request.method !== "PUT") return false;
      expect(request.headers["if-none-match"]).toBe("*");
      return fault(response, 412, "PreconditionFailed");
    });
    await expect(writer.commit()).rejects.toSatisfy((error: unknown) => isSystemError(error, "EEXIST"));
    await writer.discard();
  });

  test("goes on without conditions in a store that does not know them", async () => {
    const conditions: unknown[] = [];
    s3.answerInstead((request, response) => {
      if (request.method !== "PUT") return false;
      conditions.push(request.headers["if-none-match"]);
      return request.headers["if-none-match"] === "*" && fault(response, 501, "NotImplemented");
    });
    const blobs = await openTestBucket(s3);
    await (await blobs.create(NAME)).commit();
    expect(await blobs.names()).toEqual([NAME]);
    // Asked once, when the prefix was claimed.
    expect(conditions).toEqual(["*", undefined, undefined]);
  });
});

describe("a bucket", () => {
  test("is listed to its last page", async () => {
    const blobs = await openTestBucket(s3, { prefix: "p/" });
    s3.answerInstead((request, response) => {
      const url = new URL(request.url ?? "", s3.endpoint);
      if (url.searchParams.get("list-type") !== "2") return false;
      const token = url.searchParams.get("continuation-token");
      const [key, next] =
        token === "more" ? [OTHER, ""] : [NAME, "<NextContinuationToken>more</NextContinuationToken>"];
      const contents = [key, "upkeep-server", "notes.txt"].map((name) => `<Contents><Key>p/${name}</Key></Contents>`);
      return xml(response, 200, `<ListBucketResult>${contents.join("")}${next}</ListBucketResult>`);
    });
    expect(await blobs.names()).toEqual([NAME, OTHER]);
  });

  test("belongs to the records that used it first", async () => {
    await openTestBucket(s3, { prefix: "p/" });
    await openTestBucket(s3, { prefix: "p/" });
    await openTestBucket(s3, { prefix: "q/" }, { owner: "other records" });
    await expect(openTestBucket(s3, { prefix: "p/" }, { owner: "other records" })).rejects.toThrow(
      "other records keep their artifacts there",
    );
  });

  test("loses at the start what was begun and not finished, unless another server may be at it", async () => {
    const uploads = [
      [NAME, "2026-01-01T00:00:00.000Z"],
      [OTHER, "2026-01-03T00:00:00.000Z"],
    ].map(
      ([key, begun]) =>
        `<Upload><Key>${key}</Key><UploadId>of-${key}</UploadId><Initiated>${begun}</Initiated></Upload>`,
    );
    const aborted: (string | undefined)[] = [];
    s3.answerInstead((request, response) => {
      if (request.method === "DELETE") {
        aborted.push(request.url);
        response.writeHead(204).end();
        return true;
      }
      if (!request.url?.includes("uploads=")) return false;
      return xml(response, 200, `<ListMultipartUploadsResult>${uploads.join("")}</ListMultipartUploadsResult>`);
    });
    await openTestBucket(s3, {}, { unfinishedBeforeMs: Date.UTC(2026, 0, 2) });
    expect(aborted).toEqual([expect.stringContaining(`/${NAME}?uploadId=of-${NAME}`)]);
  });

  test("that is not there, or is not ours, is an error at the start", async () => {
    await expect(openTestBucket(s3, { bucket: "nowhere" })).rejects.toMatchObject({ name: "NoSuchBucket" });
    const credentials = { accessKeyId: "S3RVER", secretAccessKey: "wrong" };
    await expect(openTestBucket(s3, { credentials })).rejects.toMatchObject({ name: "SignatureDoesNotMatch" });
  });

  test("whose answer breaks off is an error, not the end", async () => {
    const blobs = await openTestBucket(s3);
    const writer = await blobs.create(NAME);
    await writer.write(Buffer.alloc(1000));
    await writer.commit();
    const blob = await blobs.open(NAME);
    s3.answerInstead((_, response) => {
      response.writeHead(206, { "content-length": "1000" }).write(Buffer.alloc(10));
      setImmediate(() => response.destroy());
      return true;
    });
    const reading = async (): Promise<void> => {
      for await (const _ of blob?.read(0, 1000) ?? []);
    };
    await expect(reading()).rejects.toThrow();
  });
});

describe("links to a bucket", () => {
  async function kept(): Promise<Awaited<ReturnType<typeof openTestBucket>>> {
    const blobs = await openTestBucket(s3, { prefix: "fleet/one/" });
    const writer = await blobs.create(NAME);
    await writer.write(Buffer.from("0123456789"));
    await writer.commit();
    return blobs;
  }

  test("are read without any key, in part as well, under a name for people", async () => {
    const link = await (await kept()).direct?.downloadLink(NAME, LINK);
    expect(link?.uri).toMatch(`${s3.endpoint}/${BUCKET}/fleet/one/${NAME}?`);
    const answer = await fetch(String(link?.uri), { headers: { range: "bytes=2-4" } });
    expect(answer.status).toBe(206);
    expect(answer.headers.get("content-disposition")).toBe('attachment; filename="release-1.mender"');
    expect(answer.headers.get("content-type")).toBe("application/vnd.mender-artifact");
    expect(await answer.text()).toBe("234");
  });

  test("are bound to their object, to reading or writing, and to their time", async () => {
    const blobs = await kept();
    const uri = String((await blobs.direct?.downloadLink(NAME, LINK))?.uri);
    expect((await fetch(uri.replace(NAME, OTHER))).status).toBe(403);
    expect((await fetch(uri, { method: "PUT", body: "x" })).status).toBe(403);
    expect((await fetch(uri, { method: "DELETE" })).status).toBe(403);
    expect((await fetch(uri.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))).status).toBe(403);
    const earlier = { ...systemClock, now: () => Date.now() - 120_000 };
    const old = await openTestBucket(s3, { prefix: "fleet/one/" }, { clock: earlier });
    const expired = await old.direct?.downloadLink(NAME, LINK);
    expect(expired?.expiresMs).toBeLessThan(Date.now());
    expect((await fetch(String(expired?.uri))).status).toBe(403);
  });

  test("say when they end: at the life that was asked for, and at a week at the latest", async () => {
    const clock = { ...systemClock, now: () => 1_800_000_000_500 };
    const blobs = await openTestBucket(s3, {}, { clock });
    expect((await blobs.direct?.downloadLink(NAME, LINK))?.expiresMs).toBe(1_800_000_060_000);
    const month = await blobs.direct?.downloadLink(NAME, { ...LINK, lifeMs: 30 * 86_400_000 });
    expect(month?.expiresMs).toBe(1_800_000_000_000 + 7 * 86_400_000);
    expect(month?.uri).toContain("X-Amz-Expires=604800&");
  });

  test("take one upload, over what was there", async () => {
    const blobs = await kept();
    const uri = String((await blobs.direct?.uploadLink(OTHER, 60_000))?.uri);
    for (const body of ["half of", "whole"]) expect((await fetch(uri, { method: "PUT", body })).status).toBe(200);
    expect((await fetch(uri)).status).toBe(403);
    expect((await blobs.open(OTHER))?.sizeBytes).toBe(5);
  });

  test("name the address that devices reach", async () => {
    const publicEndpoint = "https://artifacts.example.com";
    const blobs = await openTestBucket(s3, { publicEndpoint });
    expect((await blobs.direct?.downloadLink(NAME, LINK))?.uri).toMatch(`${publicEndpoint}/${BUCKET}/${NAME}?`);
    expect((await blobs.direct?.uploadLink(NAME, 60_000))?.uri).toMatch(`${publicEndpoint}/${BUCKET}/${NAME}?`);
    const inHost = await openTestBucket(s3, {}, {});
    expect((await inHost.direct?.downloadLink(NAME, LINK))?.uri).toMatch(s3.endpoint);
  });

  test("hold neither the secret key nor anything that would give it away", async () => {
    const { uri } = (await (await kept()).direct?.downloadLink(NAME, LINK)) ?? { uri: "" };
    const names = [...new URL(uri).searchParams.keys()].filter((name) => name.startsWith("X-Amz-"));
    expect(names.sort()).toEqual(
      ["Algorithm", "Content-Sha256", "Credential", "Date", "Expires", "Signature", "SignedHeaders"].map(
        (name) => `X-Amz-${name}`,
      ),
    );
  });
});
