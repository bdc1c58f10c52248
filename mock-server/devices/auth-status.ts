import type { AuthStatus, DeviceStatus } from "../storage/index.ts";

/** The status of a device is the best status of its keys. */
const BEST_FIRST = ["accepted", "preauthorized", "pending", "rejected"] as const satisfies readonly AuthStatus[];

export function deviceStatus(authSets: readonly { readonly status: AuthStatus }[]): DeviceStatus {
  return BEST_FIRST.find((status) => authSets.some((authSet) => authSet.status === status)) ?? "noauth";
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
