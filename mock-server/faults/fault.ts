import type * as z from "zod";
import type { ExchangeContext, ExchangeEffect } from "./effects/exchange.ts";
import type { BootEffect, ClockEffect, DiskEffect, PowerEffect, ProgramEffect, SeedEffect } from "./effects/machine.ts";
import type { Place, Support } from "./language/places.ts";
import type { RequestKind } from "./language/request-kinds.ts";

/** What each kind of effect acts on: an HTTP exchange between device and server, or a part of the device. */
export interface Effects {
  readonly exchange: ExchangeEffect;
  readonly disk: DiskEffect;
  readonly seed: SeedEffect;
  readonly program: ProgramEffect;
  readonly power: PowerEffect;
  readonly boot: BootEffect;
  readonly clock: ClockEffect;
}
export type Concern = keyof Effects;

/** What an effect is made with beside the fault's value. */
export interface Contexts extends Readonly<Record<Exclude<Concern, "exchange">, void>> {
  readonly exchange: ExchangeContext;
}

/** Values of a fault that some places cannot have. */
export interface Limit<V> {
  readonly what: string;
  of(value: V): boolean;
  /** Why not there. */
  readonly reasons: Readonly<Partial<Record<Place, string>>>;
}

export interface FaultParts<C extends Concern, V extends z.ZodType> {
  /** For people: in the JSON Schema and in the handbook. */
  readonly meaning: string;
  readonly value: V;
  readonly where: Support;
  readonly limits?: readonly Limit<z.output<V>>[];
  /** What is different there on purpose, with the reason. */
  readonly differs?: Readonly<Partial<Record<Place, string>>>;
  /** The requests that it concerns unless the file names others; all if absent. */
  readonly requests?: readonly RequestKind[];
  /** True: it happens once unless `count` says otherwise. Other faults happen again and again. */
  readonly once?: (value: z.output<V>) => boolean;
  effect(value: z.output<V>, context: Contexts[C]): Effects[C];
}

/** A fault: what it is called in files, what it means, where it can be had, and its one effect. */
export interface FaultDefinition<C extends Concern = Concern, V extends z.ZodType = z.ZodType>
  extends FaultParts<C, V> {
  readonly concern: C;
}

export function defineFault<C extends Concern, V extends z.ZodType>(
  concern: C,
  parts: FaultParts<C, V>,
): FaultDefinition<C, V> {
  return { concern, ...parts };
}
