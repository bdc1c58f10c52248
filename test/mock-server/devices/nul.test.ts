import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { acceptedDevices, artifact, openTestDomain, type TestDomain } from "../domain-fixture.ts";

/** PostgreSQL cannot store it. */
const NUL = "a\0b";

let opened: TestDomain;
let device: string;
beforeEach(async () => {
  opened = await openTestDomain({ autoAccept: true });
  [device = ""] = await acceptedDevices(opened.domain, 1);
  await opened.domain.artifacts.insert(artifact({ id: "a1" }));
});
afterEach(() => opened.domain.close());

/** Texts that the records would have to hold, or to look for. */
const CALLS: Readonly<Record<string, (domain: TestDomain["domain"]) => Promise<unknown>>> = {
  "an artifact's name": ({ artifacts }) => artifacts.insert(artifact({ id: "a2", name: NUL })),
  "an artifact's description": ({ artifacts }) => artifacts.setDescription("a1", NUL),
  "a deployment's name": ({ deployments }) =>
    deployments.create({ name: NUL, artifactName: "release-1", devices: [device] }),
  "a release's notes": ({ releases }) => releases.setNotes("release-1", NUL),
  "a release's tag": ({ releases }) => releases.setTags("release-1", [NUL]),
  "a group": ({ groups }) => groups.assign(device, NUL),
  "a filter's name": ({ filters }) =>
    filters.create(NUL, [{ scope: "inventory", attribute: "a", type: "$exists", value: true }]),
  "a tag's name": ({ tags }) => tags.put(device, [{ name: NUL, value: "1" }], { replace: true }),
  "a tag's description": ({ tags }) =>
    tags.put(device, [{ name: "a", value: "1", description: NUL }], { replace: true }),
  "an attribute's name": ({ inventory }) => inventory.note(device, NUL, "1"),
  "a personal access token": async ({ users }) => {
    await users.ensureAdministrator("admin@example.com", "a long password");
    const [admin] = await users.accounts.list({});
    return await users.tokens.create(admin?.id ?? "", NUL, 0);
  },
  "an address at the login": ({ users }) => users.login(`${NUL}@example.com`, "a long password"),
  "an id that is looked for": ({ devices }) => devices.list({ ids: [NUL] }, { page: 1, perPage: 1 }),
  "a text that is looked for": ({ deployments }) => deployments.list({ search: NUL }, "asc", { page: 1, perPage: 1 }),
};

describe("A NUL character is refused on every engine in", () => {
  test.each(Object.entries(CALLS))("%s", async (_, call) => {
    await expect(call(opened.domain)).rejects.toMatchObject({ kind: "invalid" });
    // Nothing of it remains, and the records work on.
    expect(await opened.domain.devices.count()).toBe(1);
  });
});

test("A NUL character in the value of an attribute is kept on every engine", async () => {
  const { inventory, tags } = opened.domain;
  await inventory.note(device, "told", NUL);
  await tags.put(device, [{ name: "place", value: NUL }], { replace: true });
  const { attributes } = await inventory.get(device);
  expect(attributes).toContainEqual(expect.objectContaining({ name: "told", value: NUL }));
  expect(attributes).toContainEqual(expect.objectContaining({ name: "place", value: NUL }));
});
