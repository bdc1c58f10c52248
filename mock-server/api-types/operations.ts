import type { paths } from "./paths.ts";

export type Method = "get" | "post" | "put" | "patch" | "delete";

/** The paths that have an operation of this method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P][M] extends { readonly responses: unknown } ? P : never;
}[keyof paths];

type Part<O, K extends "path" | "query"> = O extends { parameters: infer P }
  ? K extends keyof P
    ? P[K]
    : never
  : never;
/** Numbers are sent as text. */
type Query<Q> = Q extends object ? { readonly [K in keyof Q]?: Q[K] | number } : Q;
/** What an operation is sent as JSON. */
export type BodyOf<O> = O extends { requestBody?: infer R }
  ? NonNullable<R> extends { content: { "application/json": infer B } }
    ? B
    : never
  : never;
type Json<A> = A extends { content: { "application/json": infer J } } ? J : undefined;

/** What a successful operation answers as JSON. */
export type ResultOf<O> = O extends { responses: infer R } ? Json<R[keyof R]> : never;

/** The operation of a method and a path. */
export type Operation<M extends Method, P extends PathOf<M>> = paths[P][M];

/** What a GET of this path answers. */
export type Shown<P extends PathOf<"get">> = ResultOf<paths[P]["get"]>;
/** One of the list that a GET of this path answers. */
export type Listed<P extends PathOf<"get">> = Shown<P> extends readonly (infer T)[] ? T : never;

/** What an operation is called with. */
export interface Request<O> {
  readonly params?: Part<O, "path">;
  readonly query?: Query<Part<O, "query">>;
  readonly body?: BodyOf<O>;
  readonly signal?: AbortSignal;
}
