export { type Augmentable, type Permissions, unpermitted } from "./augmentation.ts";
export { findModule } from "./find.ts";
export { interruptible } from "./flow.ts";
export type { NamedSeed, RebootAnswer } from "./module.ts";
export { UpdateModule } from "./module.ts";
export { STORED_IN, type StoredSoFar, type StoringPace } from "./stored-files.ts";
export { createWorkTree, payloadPath, workTreePath } from "./work-tree.ts";
