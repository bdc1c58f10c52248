import { describe, expect, test } from "vitest";
import { TestDevice } from "../domain-fixture.ts";
import { DEPLOYMENTS, DEVICE_API, PASSWORD, TestServer } from "./fixture.ts";

const USERADM = "/api/management/v1/useradm";

describe("answers with a token or a link that lets in are kept by no cache", () => {
  async function answers() {
    const server = await TestServer.open({ autoAccept: true });
    const basic = `Basic ${Buffer.from(`admin@example.com:${PASSWORD}`).toString("base64")}`;
    const device = await server.device("1");
    const artifact = await server.uploaded();
    await server.deployed("release-1", [device.id]);
    const request = new TestDevice('{"mac":"1"}').request();
    return {
      login: await server.call(`${USERADM}/auth/login`, { method: "POST", headers: { authorization: basic } }),
      "a personal access token": await server.manage(`${USERADM}/settings/tokens`, {
        method: "POST",
        body: { name: "pipeline" },
      }),
      "a device's download link": await server.call(
        `${DEVICE_API}/next?artifact_name=factory&device_type=board`,
        device,
      ),
      "a user's download link": await server.manage(`${DEPLOYMENTS}/artifacts/${artifact}/download`),
      "an upload link": await server.manage(`${DEPLOYMENTS}/artifacts/directupload`, { method: "POST" }),
      "the list of users": await server.manage(`${USERADM}/users`),
      "the token of a device": await server.call("/api/devices/v1/authentication/auth_requests", {
        method: "POST",
        body: request.body,
        headers: { "content-type": "application/json", "x-men-signature": request.signature ?? "" },
      }),
    };
  }

  test("all of them", async () => {
    for (const [name, { statusCode, headers }] of Object.entries(await answers())) {
      expect([name, statusCode, headers["cache-control"]]).toEqual([name, 200, "no-store"]);
    }
  });
});

describe("the log", () => {
  test.each([
    ["/api/management/v1/deployments/artifacts?token=sesame", "artifacts?token=…"],
    ["/api/management/v1/nowhere?jwt=sesame&page=2", "nowhere?jwt=…&page=2"],
    ["/api/devices/v1/download/x?x-men%2Dsignature=sesame", "download/x?…"],
    ["/nowhere?sesame", "/nowhere?…"],
    ["/nowhere?a=1?sesame=1&sesame", "/nowhere?a=…&…"],
    [
      `${DEVICE_API}/next?artifact_name=factory&device_type=board&key=sesame`,
      "artifact_name=factory&device_type=board&key=…",
    ],
  ])("has no value of a query that could be a secret: %s", async (url, logged) => {
    const server = await TestServer.open();
    expect((await server.call(url)).statusCode).toBeGreaterThanOrEqual(400);
    const log = server.logLines.join("");
    expect(log).toContain(`${logged} `);
    expect(log).not.toContain("sesame");
  });
});
