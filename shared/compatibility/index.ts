export { type Depends, describeMismatch, type Mismatch, mismatches } from "./depends.ts";
export { applyProvides, type Provides, type ProvidesChange } from "./provides.ts";
