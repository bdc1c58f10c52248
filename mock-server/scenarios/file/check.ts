import { instantMs } from "../../faults/language/instants.ts";
import { presentKeys } from "../../faults/language/one-of.ts";
import { EACH, eachNames } from "./each.ts";
import { DEVICE_FACTS, TIMED } from "./expectations.ts";
import { deviceNames } from "./fleet.ts";
import type { Path } from "./positions.ts";
import type { Scenario } from "./scenario.ts";
import { suggestion } from "./similar.ts";
import { type Action, deviceOfAction } from "./timeline.ts";
import type { EventParts } from "./triggers.ts";

/** An error between parts of a file that are right by themselves. */
export interface ReferenceFault {
  readonly path: Path;
  readonly message: string;
}

/** Any device, where an event may be about each of them. */
export const ANY_DEVICE = "any";

/** Software of a device whose agent reports another one. */
const AGENT_SAYS = ", and the agent says ";
const NOTHING_WHOLE = "nothing that is whole";

/** The software at the start. */
function installedOn({ provides }: Scenario["fleet"][number]): string {
  return provides.artifact_name ?? "v1";
}

/** Checks that names are defined, that they are unique, and that times are within the run. */
export function checkReferences(scenario: Scenario): ReferenceFault[] {
  return new References(scenario).faults;
}

class References {
  readonly faults: ReferenceFault[] = [];
  readonly #scenario: Scenario;
  readonly #devices: readonly string[];
  readonly #releases: readonly string[];
  readonly #deployments: readonly string[];
  readonly #labels: readonly string[];
  readonly #groups: readonly string[];

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#devices = scenario.fleet.flatMap(deviceNames);
    this.#releases = scenario.releases.map(({ name }) => name);
    this.#deployments = scenario.deployments.map(({ name }) => name);
    this.#labels = scenario.faults.flatMap(({ name }) => (name === undefined ? [] : [name]));
    this.#groups = [
      ...scenario.fleet.flatMap(({ group }) => (group === undefined ? [] : [group])),
      ...scenario.timeline.flatMap(({ do: { action, value } }) => (action === "move_to_group" ? [value.group] : [])),
    ];
    this.#checkNames();
    this.#checkDeployments();
    this.#checkTimeline();
    this.#checkTrust();
    this.#checkFaults();
    this.#checkExpectations();
  }

  #known(kind: string, known: readonly string[], name: string | undefined, path: Path): void {
    if (name === undefined || known.includes(name)) return;
    const all =
      known.length === 0
        ? "there is none"
        : `there are ${known.slice(0, 12).join(", ")}${known.length > 12 ? ", …" : ""}`;
    this.faults.push({
      path,
      message: `expected the name of a ${kind}, got ${JSON.stringify(name)}${suggestion(name, known)}; ${all}`,
    });
  }

  #device(name: string | undefined, path: Path): void {
    if (name === EACH)
      this.faults.push({
        path,
        message: `expected the name of a device, got each: it stands for one only in a step that has a key each, and in the event that a fault waits for`,
      });
    else if (name !== ANY_DEVICE) this.#known("device", this.#devices, name, path);
  }

  /** A device of an expectation: what is expected of several has its own word. */
  #expectedDevice(name: string | undefined, path: Path): void {
    if (name === undefined || name === ANY_DEVICE || this.#devices.includes(name)) return;
    const meant = eachNames(this.#scenario).includes(name)
      ? `each: ${name}`
      : name === "none"
        ? `never: { device: ${ANY_DEVICE}, … }`
        : undefined;
    if (meant === undefined) this.#known("device", this.#devices, name, path);
    else
      this.faults.push({
        path,
        message: `expected the name of a device, got ${JSON.stringify(name)} (did you mean ${meant}?)`,
      });
  }

  #each(name: string | undefined, path: Path): void {
    if (name === undefined) return;
    this.#known("row of the fleet or group", eachNames(this.#scenario), name, path);
  }

  /** An expectation of software that no device can run is an error. */
  #software(name: string | undefined, path: Path): void {
    const { fleet, releases } = this.#scenario;
    // The name in an artifact file is not known here.
    if (releases.some(({ artifacts }) => artifacts.some(({ file }) => file !== undefined))) return;
    const known = [...new Set([...this.#releases, ...fleet.map(installedOn)])];
    for (const part of name?.split(AGENT_SAYS) ?? [])
      if (part !== NOTHING_WHOLE) this.#known("release", known, part, path);
  }

  #checkNames(): void {
    const twice = (kind: string, names: readonly string[], pathOf: (index: number) => Path): void => {
      names.forEach((name, index) => {
        if (names.indexOf(name) < index)
          this.faults.push({
            path: pathOf(index),
            message: `there are two ${kind}s of the name ${JSON.stringify(name)}`,
          });
      });
    };
    const rows = this.#scenario.fleet.flatMap((row, index) => deviceNames(row).map((name) => ({ name, index })));
    twice(
      "device",
      rows.map(({ name }) => name),
      (index) => ["fleet", rows[index]?.index ?? 0, "name"],
    );
    twice("release", this.#releases, (index) => ["releases", index, "name"]);
    twice("deployment", this.#deployments, (index) => ["deployments", index, "name"]);
    rows.forEach(({ name, index }) => {
      if (name === ANY_DEVICE || name === EACH)
        this.faults.push({ path: ["fleet", index, "name"], message: `a device cannot be called ${name}` });
    });
  }

  #checkDeployments(): void {
    this.#scenario.deployments.forEach((deployment, index) => {
      const at = (...rest: Path): Path => ["deployments", index, ...rest];
      this.#known("release", this.#releases, deployment.release, at("release"));
      const { to } = deployment;
      if (Array.isArray(to))
        to.forEach((name, entry) => {
          this.#known("device", this.#devices, name, at("to", entry));
        });
      else if (to !== "all" && "group" in to) this.#known("group", this.#groups, to.group, at("to", "group"));
      if (deployment.max_devices !== undefined && (to === "all" || Array.isArray(to) || !("filter" in to)))
        this.faults.push({ path: at("max_devices"), message: "only a deployment to a filter has max_devices" });
      if (deployment.when !== undefined) this.#event(deployment.when, at("when"));
      this.#instant(deployment.at, at("at"));
    });
  }

  #instant(instant: Parameters<typeof instantMs>[0] | undefined, path: Path): void {
    if (instant === undefined) return;
    const ms = instantMs(instant, this.#scenario.starts);
    if (ms < 0) this.faults.push({ path, message: "expected an instant of the run, got one before its start" });
    else if (ms > this.#scenario.ends.boundMs)
      this.faults.push({ path, message: "expected an instant of the run, got one after its end (see ends)" });
  }

  #event(event: EventParts, path: Path): void {
    this.#device(event.device, [...path, "device"]);
    this.#known("deployment", this.#deployments, event.deployment, [...path, "deployment"]);
    this.#software(event.runs, [...path, "runs"]);
    if (event.state !== undefined && event.device !== undefined)
      this.faults.push({ path: [...path, "device"], message: "expected no device: state is about a deployment" });
    if (event.state !== undefined && event.deployment === undefined)
      this.faults.push({ path, message: "expected deployment, which state is about" });
    if (event.state === undefined && event.device === undefined)
      this.faults.push({ path, message: `expected device (a name, or ${ANY_DEVICE}), which the event is about` });
  }

  #checkTimeline(): void {
    this.#scenario.timeline.forEach((entry, index) => {
      const at = (...rest: Path): Path => ["timeline", index, ...rest];
      this.#instant(entry.at, at("at"));
      this.#each(entry.each, at("each"));
      const eaches = [entry.when?.device, deviceOfAction(entry.do)].filter((name) => name === EACH).length;
      if (entry.each !== undefined && eaches === 0)
        this.faults.push({
          path: at("each"),
          message: "expected a device called each in when or do: it stands for each device in turn",
        });
      // Where each is allowed, it is any of the devices.
      const allowed = (name: string | undefined) => (entry.each !== undefined && name === EACH ? ANY_DEVICE : name);
      if (entry.when !== undefined) this.#event({ ...entry.when, device: allowed(entry.when.device) }, at("when"));
      this.#action(entry.do, at("do", entry.do.action), entry.each !== undefined);
    });
  }

  #action(done: Action, path: Path, hasEach: boolean): void {
    const { action, value } = done;
    const device = deviceOfAction(done);
    if (device !== undefined) {
      if (device === EACH) {
        if (!hasEach) this.#device(device, path);
      } else this.#known("device", this.#devices, device, path);
      return;
    }
    switch (action) {
      case "abort":
      case "finish":
      case "pause":
      case "resume":
        this.#known("deployment", this.#deployments, value, path);
        break;
      case "delete_release":
        this.#known("release", this.#releases, value, path);
        break;
      case "start_fault":
      case "stop_fault":
        this.#known("fault", this.#labels, value, path);
        break;
    }
  }

  /** Only a server's certificate makes an authority known. */
  #checkTrust(): void {
    const { fleet, releases, server, timeline } = this.#scenario;
    const renewed = timeline.flatMap(({ do: { action, value } }) =>
      action === "renew_certificate" && value.issuer !== undefined ? [value.issuer] : [],
    );
    const issuers = [...new Set([server.certificate.issuer, ...renewed])];
    const check = (names: readonly string[] | undefined, path: Path): void =>
      names?.forEach((name, index) => {
        this.#known("certificate authority", issuers, name, [...path, "trusts", index]);
      });
    fleet.forEach(({ trusts }, index) => {
      check(trusts, ["fleet", index]);
    });
    releases.forEach(({ artifacts }, release) => {
      artifacts.forEach(({ trusts }, artifact) => {
        check(trusts, ["releases", release, "artifacts", artifact]);
      });
    });
    this.#instant(server.certificate.until, ["server", "certificate", "until"]);
  }

  #checkFaults(): void {
    this.#scenario.faults.forEach((fault, index) => {
      const at = (...rest: Path): Path => ["faults", index, ...rest];
      const known = [...new Set([...this.#devices, ...eachNames(this.#scenario)])];
      fault.devices?.forEach((name, entry) => {
        this.#known("device, row of the fleet or group", known, name, at("devices", entry));
      });
      for (const name of fault.runs ?? []) this.#software(name, at("runs"));
      for (const name of fault.release ?? []) this.#known("release", this.#releases, name, at("release"));
      const { when } = fault;
      if (when !== undefined)
        this.#event({ ...when, device: when.device === EACH ? ANY_DEVICE : when.device }, at("when"));
      this.#instant(fault.from, at("from"));
      if (fault.what.fault === "proxy_fails" && !this.#hasProxy(fault.devices))
        this.faults.push({
          path: at("proxy_fails"),
          message: "expected devices whose row of the fleet has proxy: yes",
        });
      if (!fault.on && fault.name === undefined)
        this.faults.push({ path: ["faults", index, "on"], message: "expected a name too, for start_fault to tell it" });
    });
  }

  /** True if one of these devices, rows and groups goes through a proxy; of all devices if absent. */
  #hasProxy(names: readonly string[] | undefined): boolean {
    return this.#scenario.fleet.some(
      (row) => row.proxy && (names?.some((name) => [row.name, row.group, ...deviceNames(row)].includes(name)) ?? true),
    );
  }

  #checkExpectations(): void {
    this.#scenario.expect.forEach((expectation, index) => {
      const { never } = expectation;
      const path: Path = never === undefined ? ["expect", index] : ["expect", index, "never"];
      this.#checkExpected(never ?? expectation, path);
      if (never === undefined) {
        this.#expectedDevice(expectation.device, [...path, "device"]);
        this.#checkAny(expectation, path);
        this.#known("deployment", this.#deployments, expectation.deployment, [...path, "deployment"]);
        this.#software(expectation.runs, [...path, "runs"]);
      } else if (never.each === undefined) this.#event(never, path);
      else this.#event({ ...never, device: ANY_DEVICE }, path);
    });
  }

  #checkExpected(
    { each, after, before }: Pick<Scenario["expect"][number], "each" | "after" | "before">,
    path: Path,
  ): void {
    this.#each(each, [...path, "each"]);
    this.#instant(after, [...path, "after"]);
    this.#instant(before, [...path, "before"]);
    if (after === undefined || before === undefined) return;
    const { starts } = this.#scenario;
    if (instantMs(before, starts) <= instantMs(after, starts))
      this.faults.push({
        path: [...path, "before"],
        message: "expected an instant later than after: nothing is between",
      });
  }

  /** Events may concern `any` device; the end is about one device, or about each. */
  #checkAny(expectation: Scenario["expect"][number], path: Path): void {
    if (expectation.device !== ANY_DEVICE) return;
    if (expectation.rate !== undefined)
      this.faults.push({
        path: [...path, "device"],
        message: `expected the name of a device for rate, or no device: the rate of all devices together`,
      });
    const timed = presentKeys(expectation, TIMED).length > 0;
    const facts = presentKeys(expectation as Readonly<Record<string, unknown>>, [
      ...DEVICE_FACTS,
      ...(timed ? [] : ["runs"]),
    ]);
    if (facts.length === 0) return;
    this.faults.push({
      path: [...path, "device"],
      message: `expected the name of a device, or each: with the name of a row, for ${facts.join(", ")}; ${ANY_DEVICE} is for what happens to one of them`,
    });
  }
}
