import type * as z from "zod";
import { agentKilled } from "./agent-killed.ts";
import { answer } from "./answer.ts";
import { badArtifact } from "./bad-artifact.ts";
import { bootFailure } from "./boot-failure.ts";
import { changedObject } from "./changed-object.ts";
import { chunkWrong } from "./chunk-wrong.ts";
import { cutDownload } from "./cut-download.ts";
import { databaseSlow } from "./database-slow.ts";
import { delayedAnswer } from "./delayed-answer.ts";
import { diskDenied } from "./disk-denied.ts";
import { diskFails } from "./disk-fails.ts";
import { diskFull } from "./disk-full.ts";
import { dnsFailure } from "./dns-failure.ts";
import { duplicated } from "./duplicated.ts";
import type { ExchangeContext, ExchangeEffect } from "./effects/exchange.ts";
import { emptyAnswer } from "./empty-answer.ts";
import { encodedAnswer } from "./encoded-answer.ts";
import { expiredLink } from "./expired-link.ts";
import type { Concern, Effects, FaultDefinition } from "./fault.ts";
import { indexWrong } from "./index-wrong.ts";
import type { Place } from "./language/places.ts";
import { linkDown } from "./link-down.ts";
import { lossy } from "./lossy.ts";
import { malformedAnswer } from "./malformed-answer.ts";
import { moduleFails } from "./module-fails.ts";
import { moduleFills } from "./module-fills.ts";
import { moduleFloods } from "./module-floods.ts";
import { moduleHangs } from "./module-hangs.ts";
import { powerCut } from "./power-cut.ts";
import { proxyFails } from "./proxy-fails.ts";
import { rangeIgnored } from "./range-ignored.ts";
import { readOnlyDisk } from "./read-only-disk.ts";
import { rebootIgnored } from "./reboot-ignored.ts";
import { reordered } from "./reordered.ts";
import { scriptFails } from "./script-fails.ts";
import { scriptFloods } from "./script-floods.ts";
import { scriptHangs } from "./script-hangs.ts";
import { scriptRetries } from "./script-retries.ts";
import { seedChanges } from "./seed-changes.ts";
import { serverKilled } from "./server-killed.ts";
import { slow } from "./slow.ts";
import { tlsFailure } from "./tls-failure.ts";
import { tornWrite } from "./torn-write.ts";
import { truncatedAnswer } from "./truncated-answer.ts";
import { watchdogReboot } from "./watchdog-reboot.ts";
import { wrongClock } from "./wrong-clock.ts";

/** All faults by their names in scenario files. */
export const FAULTS = {
  link_down: linkDown,
  cut_download: cutDownload,
  slow: slow,
  lossy: lossy,
  reordered: reordered,
  duplicated: duplicated,
  dns_failure: dnsFailure,
  tls_failure: tlsFailure,
  proxy_fails: proxyFails,
  wrong_clock: wrongClock,
  answer: answer,
  malformed_answer: malformedAnswer,
  empty_answer: emptyAnswer,
  encoded_answer: encodedAnswer,
  truncated_answer: truncatedAnswer,
  delayed_answer: delayedAnswer,
  changed_object: changedObject,
  expired_link: expiredLink,
  bad_artifact: badArtifact,
  range_ignored: rangeIgnored,
  index_wrong: indexWrong,
  chunk_wrong: chunkWrong,
  seed_changes: seedChanges,
  module_fails: moduleFails,
  module_hangs: moduleHangs,
  module_floods: moduleFloods,
  module_fills: moduleFills,
  script_fails: scriptFails,
  script_retries: scriptRetries,
  script_hangs: scriptHangs,
  script_floods: scriptFloods,
  disk_full: diskFull,
  read_only_disk: readOnlyDisk,
  disk_fails: diskFails,
  disk_denied: diskDenied,
  torn_write: tornWrite,
  power_cut: powerCut,
  watchdog_reboot: watchdogReboot,
  agent_killed: agentKilled,
  reboot_ignored: rebootIgnored,
  boot_failure: bootFailure,
  server_killed: serverKilled,
  database_slow: databaseSlow,
} as const satisfies Readonly<Record<string, FaultDefinition>>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];

/** A fault's value as its schema reads it. */
export type FaultValue<N extends FaultName = FaultName> = z.output<(typeof FAULTS)[N]["value"]>;

/** One fault with its value. */
export type FaultOf<N extends FaultName> = { [K in N]: { readonly fault: K; readonly value: FaultValue<K> } }[N];

export type FaultsOf<C extends Concern> = {
  [N in FaultName]: (typeof FAULTS)[N]["concern"] extends C ? N : never;
}[FaultName];

export function definitionOf(name: FaultName): FaultDefinition {
  return FAULTS[name];
}

/** What a fault does to an exchange. */
export function exchangeEffectOf(fault: FaultOf<FaultsOf<"exchange">>, context: ExchangeContext): ExchangeEffect {
  return effect<"exchange">(fault, context);
}

/** What a fault does to the device. */
export function effectOf<C extends Exclude<Concern, "exchange">>(fault: FaultOf<FaultsOf<C>>): Effects[C] {
  return effect<C>(fault, undefined);
}

function effect<C extends Concern>({ fault, value }: FaultOf<FaultsOf<C>>, context: ExchangeContext | undefined) {
  // Name and value come from one entry of the table; the compiler cannot follow that through a union.
  return definitionOf(fault).effect(value, context as never) as Effects[C];
}

/** Why a fault is not possible somewhere: each reason with what it is about. Empty: it is possible. */
export function reasonsAgainst(
  { fault, value }: FaultOf<FaultName>,
  place: Place,
): (readonly [what: string, why: string])[] {
  const { where, limits = [] } = definitionOf(fault);
  const support = where[place];
  if (support !== true) return [[fault, support]];
  return limits.flatMap(({ what, of, reasons }) => {
    const why = reasons[place];
    return why !== undefined && of(value) ? [[what, why] as const] : [];
  });
}
