import type { AuthSetRecord, AuthStatus, DeviceRecord } from "../storage/index.ts";

/** The status of a device is the best status of its keys. */
const BEST_FIRST = ["accepted", "preauthorized", "pending", "rejected"] as const satisfies readonly AuthStatus[];

/**
 * The status of a device and its tier, which is that of the key with the best status, the newest of several.
 * @param authSets By time of creation.
 */
export function standingOf(
  authSets: readonly Pick<AuthSetRecord, "status" | "tier">[],
): Pick<DeviceRecord, "status" | "tier"> {
  for (const status of BEST_FIRST) {
    const newest = authSets.findLast((authSet) => authSet.status === status);
    if (newest !== undefined) return { status, tier: newest.tier };
  }
  return { status: "noauth", tier: "standard" };
}

/** The statuses that an administrator can set. */
export const SETTABLE_STATUSES = ["accepted", "rejected", "pending"] as const satisfies readonly AuthStatus[];
export type SettableStatus = (typeof SETTABLE_STATUSES)[number];

/** The statuses from which an administrator can set each. A preauthorized key waits for its device. */
const REACHED_FROM: Readonly<Record<SettableStatus, readonly AuthStatus[]>> = {
  accepted: ["pending", "rejected"],
  rejected: ["pending", "accepted"],
  pending: ["accepted", "rejected"],
};

export function mayBecome(from: AuthStatus, to: SettableStatus): boolean {
  return REACHED_FROM[to].includes(from);
}
