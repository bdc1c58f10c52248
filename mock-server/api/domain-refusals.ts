import type { DomainError, ErrorCode, ErrorDetails, ErrorKind } from "../errors.ts";
import type { Refusal } from "./errors.ts";

const STATUSES: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  "not-found": 404,
  conflict: 409,
  "precondition-failed": 412,
  "too-large": 413,
  unprocessable: 422,
};

/** At most this many unsuitable devices are named in an answer. */
const NAMED_DEVICES_MAX = 10;

const fault = (details: { readonly fault: string }): string => details.fault;

/** The text of each error, as clients of the reference know it. */
const TEXTS: { readonly [C in ErrorCode]: string | ((details: ErrorDetails<C>) => string) } = {
  "invalid-value": fault,
  "invalid-deployment": (details) => `Validating request body: Invalid deployments definition: ${details.fault}`,
  "invalid-artifact-metadata": (details) => `Metadata invalid: ${details.fault}`,
  "invalid-auth-request": (details) => `invalid auth request: ${details.fault}`,
  "undecodable-auth-request": (details) => `failed to decode auth request: ${details.fault}`,
  "undecodable-public-key": (details) => ["cannot decode public key", details.fault ?? []].flat().join(": "),
  "unreadable-artifact": (details) => `reading artifact error: ${details.fault}`,
  "no-target-devices": "No devices for the deployment",
  "devices-not-accepted": ({ ids }) => {
    const more = ids.length > NAMED_DEVICES_MAX ? ` and ${ids.length - NAMED_DEVICES_MAX} more` : "";
    const named = ids.slice(0, NAMED_DEVICES_MAX).join(", ");
    return `devices: only accepted devices can be part of a deployment; not accepted: ${named}${more}`;
  },
  "empty-phase": ({ number }) =>
    `Attempt to create a batch with zero devices not allowed. Batch: (${number}) will be empty. phases: change the batch sizes, or use fewer phases`,
  "auth-set-transition": ({ from, to }) => `dev auth: an auth set cannot go from ${from} to ${to}`,
  "signature-missing": "missing request signature header",

  unauthorized: (details) => details.fault ?? "unauthorized",
  "device-unauthorized": "dev auth: unauthorized",
  "wrong-signature": "signature verification failed",

  "role-not-allowed": ({ role }) => `the role ${role} does not allow this`,

  "not-found": (details) => details.fault ?? "Resource not found",
  "device-not-found": "device not found",
  "auth-set-not-found": "authorization set not found",
  "group-not-found": "group not found",
  "device-not-in-group": "device not found in the group",
  "filter-not-found": "filter not found",
  "release-not-found": "release not found",
  "user-not-found": "user not found",
  "log-not-found": "Log not found",
  "logged-deployment-not-found": "Deployment not found",

  "conflicting-value": fault,
  "artifact-exists": "an artifact with the same name and depends already exists",
  "artifact-id-exists": ({ id }) => `an artifact with the id ${id} already exists`,
  "artifact-being-uploaded": ({ id }) => `the artifact ${id} is just being uploaded`,
  "artifact-in-use": "Artifact is used in active deployment",
  "releases-in-use": "there are active deployments of the releases",
  "too-many-distinct-tags": ({ max }) => `tags: there are at most ${max} different ones on all releases together`,
  "deployment-exists": ({ id }) => `there is already an active deployment with the same parameters: ${id}`,
  "preparation-in-progress": "another deployment to many devices is being created: ask again once it is there",
  "provides-changed": "Device provided conflicting request data",
  "deployment-aborted": "Deployment aborted",
  "device-decommissioned": "Device decommissioned",
  "device-deployment-finished": ({ status }) => `Device deployment already finished: ${status}`,
  "device-deployment-not-begun": "Device deployment has not begun: ask for instructions first",
  "device-exists": "device already exists",
  "group-being-deleted": ({ name }) => `group ${name} is being deleted: ask again once all of its members have left it`,
  "filter-name-taken": ({ name }) => `a filter named "${name}" exists already`,
  "token-name-taken": ({ name }) => `personal access token named "${name}" already exists`,

  "etag-mismatch": "ETag does not match",

  "too-large": fault,
  "artifact-too-large": "Artifact file too large",
  "file-too-large": "The file is too large",

  "unprocessable-value": fault,
  "artifact-was-deployed": "Artifact has already been used in a deployment",
  "artifact-not-unique": "Artifact not unique",
  "no-artifact": "No artifact for the deployment",
  "deployment-finished": "Deployment already finished",
  "deployment-not-dynamic": "Only a deployment to a filter is finished by hand; this one can be aborted",
  "no-control-map": "The deployment has no update_control_map",
  "device-not-accepted": "only an accepted device can be part of a deployment",
  "device-limit-reached": "maximum number of accepted devices reached",
  "too-many-tokens": ({ max }) => `a user has at most ${max} personal access tokens`,
  "wrong-password": "current_password: is wrong or missing",
  "email-taken": "user with a given email already exists",
  "last-admin": "the last admin cannot go",
};

/** For programs, sent beside the text. */
const METADATA: { readonly [C in ErrorCode]?: (details: ErrorDetails<C>) => Readonly<Record<string, unknown>> } = {
  "artifact-exists": ({ artifactId, artifactName, depends }) => ({
    conflict: { artifact_id: artifactId, artifact_name: artifactName, depends },
  }),
  "deployment-exists": ({ id }) => ({ conflict: id }),
  "releases-in-use": ({ deploymentIds }) => ({ active_deployments: deploymentIds }),
  "unreadable-artifact": ({ artifactFault }) => ({ fault: artifactFault }),
};

/** How a refusal of the domain is answered. */
export function domainRefusal<C extends ErrorCode>({ code, kind, details }: DomainError<C>): Refusal {
  const text: string | ((details: ErrorDetails<C>) => string) = TEXTS[code];
  const message = typeof text === "string" ? text : text(details);
  const metadata = METADATA[code]?.(details);
  return { status: STATUSES[kind], message, ...(metadata === undefined ? {} : { metadata }) };
}
