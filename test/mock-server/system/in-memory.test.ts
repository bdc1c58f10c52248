import { once } from "node:events";
import type { IncomingMessage, RequestListener } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { type InMemory, openInMemory } from "../../../mock-server/system/in-memory.ts";

let memory: InMemory;

afterEach(() => memory.close());

function open(listener: RequestListener): void {
  memory = openInMemory(listener);
}

async function ask(method = "GET", body?: string | Buffer): Promise<IncomingMessage> {
  const sent = memory.request({ method, path: "/a?b=c", headers: { host: "updates.example.com" } });
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  return answer;
}

async function bytesOf(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe("HTTP in memory", () => {
  test("carries heads and large bodies both ways", async () => {
    const large = Buffer.alloc(3_000_000, "0123456789");
    open(async (request, response) => {
      const body = await bytesOf(request);
      response.setHeader("x-host", request.headers.host ?? "");
      response.end(Buffer.concat([Buffer.from(`${request.method} ${request.url} `), body]));
    });
    const answer = await ask("PUT", large);
    expect(answer.headers["x-host"]).toBe("updates.example.com");
    expect((await bytesOf(answer)).equals(Buffer.concat([Buffer.from("PUT /a?b=c "), large]))).toBe(true);
  });

  test("a slow reader holds up the writer", async () => {
    let written = 0;
    open((_request, response) => {
      const write = (): void => {
        while (written < 50_000_000) {
          written += 100_000;
          if (!response.write(Buffer.alloc(100_000))) {
            response.once("drain", write);
            return;
          }
        }
        response.end();
      };
      write();
    });
    const answer = await ask();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    expect(written).toBeLessThan(2_000_000);
    expect((await bytesOf(answer)).length).toBe(50_000_000);
  });

  test("a connection that the server destroys is reset: before the answer, and in the middle of it", async () => {
    open((request) => request.socket.destroy());
    await expect(ask()).rejects.toThrow("socket hang up");
    memory.close();
    open((request, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("12345", () => request.socket.destroy());
    });
    const answer = await ask();
    await expect(bytesOf(answer)).rejects.toThrow("aborted");
  });

  test("the server learns that the client has gone", async () => {
    const gone = new Promise<void>((resolve) => {
      open((request) => {
        request.on("close", resolve);
        sent.destroy();
      });
    });
    const sent = memory.request({ path: "/" });
    sent.on("error", () => undefined);
    sent.end();
    await gone;
  });
});
