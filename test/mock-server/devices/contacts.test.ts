import { expect, onTestFinished, test } from "vitest";
import { acceptedDevices, openTestDomain, TestDevice } from "../domain-fixture.ts";

const HOUR_MS = 3_600_000;

async function opened() {
  const { domain, system } = await openTestDomain({ autoAccept: true, overdueAfterMs: HOUR_MS });
  onTestFinished(() => domain.close());
  const device = new TestDevice('{"mac":"1"}');
  const token = await domain.authentication.authorize(device.request());
  const { deviceId } = await domain.authentication.verify(token);
  const contact = async () => {
    const { lastContactMs, overdue } = await domain.devices.get(deviceId);
    return [lastContactMs, overdue];
  };
  return { domain, system, token, deviceId, contact };
}

test("Any request with the device's token is a contact, told before and after it is written", async () => {
  const { domain, system, token, contact } = await opened();
  system.nowMs += HOUR_MS / 2;
  await domain.authentication.verify(token);
  expect(await contact()).toEqual([system.nowMs, false]);
  await domain.contacts.flush();
  expect(await contact()).toEqual([system.nowMs, false]);
  const lastMs = system.nowMs;
  system.nowMs += HOUR_MS;
  expect(await contact()).toEqual([lastMs, false]);
  system.nowMs += 1;
  expect(await contact()).toEqual([lastMs, true]);
});

test("A contact is never replaced by an earlier one, and a device that is gone is forgotten", async () => {
  const { domain, system, token, deviceId, contact } = await opened();
  const [other = ""] = await acceptedDevices(domain, 1);
  await domain.contacts.flush();
  const lastMs = system.nowMs;
  system.nowMs -= HOUR_MS;
  await domain.authentication.verify(token);
  await domain.contacts.flush();
  system.nowMs = lastMs;
  expect(await contact()).toEqual([lastMs, false]);
  domain.contacts.note(other);
  await domain.devices.decommission(other);
  await domain.contacts.flush();
  expect((await domain.devices.list({}, { page: 1, perPage: 5 })).items.map(({ id }) => id)).toEqual([deviceId]);
});

test("A device that is not accepted has contacts when it asks to be let in, and is not overdue", async () => {
  const { domain, system } = await openTestDomain({ overdueAfterMs: HOUR_MS });
  onTestFinished(() => domain.close());
  await expect(domain.authentication.authorize(new TestDevice('{"mac":"1"}').request())).rejects.toThrow();
  const askedMs = system.nowMs;
  system.nowMs += 2 * HOUR_MS;
  const { items } = await domain.devices.list({}, { page: 1, perPage: 1 });
  expect(items).toMatchObject([{ status: "pending", lastContactMs: askedMs, overdue: false }]);
});
