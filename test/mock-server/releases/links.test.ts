import { expect, test } from "vitest";
import { DownloadLinks } from "../../../mock-server/releases/links.ts";

function queryOf(path: string): Record<string, string> {
  return Object.fromEntries(new URL(path, "http://server").searchParams);
}

function linksAt(clock: { nowMs: number }, key = "k".repeat(32)): DownloadLinks {
  return new DownloadLinks(Buffer.from(key), () => clock.nowMs);
}

test("a link is good for its object until it expires, and not a moment longer", () => {
  const clock = { nowMs: Date.UTC(2027, 0, 1) };
  const links = linksAt(clock);
  const link = links.sign("/artifact/1", 60_000);
  expect(link.expiresMs).toBe(clock.nowMs + 60_000);
  const query = queryOf(link.path);
  expect(links.fault("/artifact/1", query)).toBeUndefined();
  clock.nowMs += 59_999;
  expect(links.fault("/artifact/1", query)).toBeUndefined();
  clock.nowMs += 1;
  expect(links.fault("/artifact/1", query)).toBe("expired");
});

test("a link is good for no other object, no other time and no other key", () => {
  const clock = { nowMs: Date.UTC(2027, 0, 1) };
  const links = linksAt(clock);
  const query = queryOf(links.sign("/artifact/1", 60_000).path);
  expect(links.fault("/artifact/2", query)).toBe("forged");
  expect(links.fault("/artifact/1", { ...query, "x-men-expire": "2099-01-01T00:00:00.000Z" })).toBe("forged");
  expect(links.fault("/artifact/1", { ...query, "x-men-signature": "AAAA" })).toBe("forged");
  expect(linksAt(clock, "other".repeat(7)).fault("/artifact/1", query)).toBe("forged");
});

test("a link needs both parameters, once each", () => {
  const links = linksAt({ nowMs: 0 });
  const query = queryOf(links.sign("/artifact/1", 60_000).path);
  expect(links.fault("/artifact/1", {})).toBe("missing");
  expect(links.fault("/artifact/1", { "x-men-expire": query["x-men-expire"] })).toBe("missing");
  const twice = { ...query, "x-men-signature": [query["x-men-signature"], "AAAA"] };
  expect(links.fault("/artifact/1", twice)).toBe("missing");
});
