/**
 * Statuses of a device deployment: the progress of one device in one deployment. This is the only list of them, with
 * who may set each status and which ones are final.
 */
interface StatusFacts {
  /** Final: no other status follows. */
  readonly terminal: boolean;
  /** A device may report it; only the server sets the others. */
  readonly reportable: boolean;
}

const FACTS = {
  pending: { terminal: false, reportable: false },
  downloading: { terminal: false, reportable: true },
  pause_before_installing: { terminal: false, reportable: true },
  installing: { terminal: false, reportable: true },
  pause_before_rebooting: { terminal: false, reportable: true },
  rebooting: { terminal: false, reportable: true },
  pause_before_committing: { terminal: false, reportable: true },
  success: { terminal: true, reportable: true },
  failure: { terminal: true, reportable: true },
  noartifact: { terminal: true, reportable: false },
  "already-installed": { terminal: true, reportable: true },
  aborted: { terminal: true, reportable: false },
  decommissioned: { terminal: true, reportable: false },
} as const satisfies Record<string, StatusFacts>;

export type DeviceDeploymentStatus = keyof typeof FACTS;

/** The statuses that a device may report. */
export type ReportedStatus = {
  [S in DeviceDeploymentStatus]: (typeof FACTS)[S]["reportable"] extends true ? S : never;
}[DeviceDeploymentStatus];

export type TerminalStatus = {
  [S in DeviceDeploymentStatus]: (typeof FACTS)[S]["terminal"] extends true ? S : never;
}[DeviceDeploymentStatus];

export const DEVICE_DEPLOYMENT_STATUSES = Object.keys(FACTS) as readonly DeviceDeploymentStatus[];

export const REPORTED_STATUSES = DEVICE_DEPLOYMENT_STATUSES.filter(
  (status): status is ReportedStatus => FACTS[status].reportable,
);

export const TERMINAL_STATUSES = DEVICE_DEPLOYMENT_STATUSES.filter((status): status is TerminalStatus =>
  isTerminal(status),
);

export function isTerminal(status: DeviceDeploymentStatus): status is TerminalStatus {
  return FACTS[status].terminal;
}

/** Statuses of a deployment as a whole. */
export const DEPLOYMENT_STATUSES = ["pending", "inprogress", "finished"] as const;
export type DeploymentStatus = (typeof DEPLOYMENT_STATUSES)[number];
