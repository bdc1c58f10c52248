import { expect, test } from "vitest";
import { refusalOf } from "../../../mock-server/api/errors.ts";
import { DomainError, invalid, notFound, unauthorized } from "../../../mock-server/errors.ts";

const depends = { device_type: "arm" };
const ids = Array.from({ length: 12 }, (_, index) => `d${index}`);

/** What clients of the reference know: the texts are part of the protocol. */
test.each([
  [invalid("name: cannot be blank"), 400, "name: cannot be blank"],
  [
    new DomainError("invalid-deployment", { fault: "name: cannot be blank" }),
    400,
    "Validating request body: Invalid deployments definition: name: cannot be blank",
  ],
  [new DomainError("no-target-devices"), 400, "No devices for the deployment"],
  [
    new DomainError("devices-not-accepted", { ids }),
    400,
    "devices: only accepted devices can be part of a deployment; not accepted: d0, d1, d2, d3, d4, d5, d6, d7, d8, d9 and 2 more",
  ],
  [new DomainError("undecodable-public-key", {}), 400, "cannot decode public key"],
  [new DomainError("auth-set-transition", { from: "a", to: "b" }), 400, "dev auth: an auth set cannot go from a to b"],
  [unauthorized(), 401, "unauthorized"],
  [new DomainError("device-unauthorized"), 401, "dev auth: unauthorized"],
  [new DomainError("wrong-signature"), 401, "signature verification failed"],
  [new DomainError("role-not-allowed", { role: "read-only" }), 403, "the role read-only does not allow this"],
  [notFound(), 404, "Resource not found"],
  [new DomainError("logged-deployment-not-found"), 404, "Deployment not found"],
  [new DomainError("provides-changed"), 409, "Device provided conflicting request data"],
  [new DomainError("deployment-aborted"), 409, "Deployment aborted"],
  [
    new DomainError("device-deployment-finished", { status: "success" }),
    409,
    "Device deployment already finished: success",
  ],
  [new DomainError("artifact-in-use"), 409, "Artifact is used in active deployment"],
  [new DomainError("etag-mismatch"), 412, "ETag does not match"],
  [new DomainError("artifact-too-large"), 413, "Artifact file too large"],
  [new DomainError("no-artifact"), 422, "No artifact for the deployment"],
  [new DomainError("deployment-finished"), 422, "Deployment already finished"],
  [new DomainError("artifact-was-deployed"), 422, "Artifact has already been used in a deployment"],
])("%s is answered with %i and %j", (error, status, message) => {
  expect(refusalOf(error)).toEqual({ status, message });
});

test.each([
  [
    new DomainError("artifact-exists", { artifactId: "a1", artifactName: "release-1", depends }),
    { conflict: { artifact_id: "a1", artifact_name: "release-1", depends } },
  ],
  [new DomainError("deployment-exists", { id: "p1" }), { conflict: "p1" }],
  [new DomainError("releases-in-use", { deploymentIds: ["p1"] }), { active_deployments: ["p1"] }],
])("%s is answered with metadata for programs", (error, metadata) => {
  expect(refusalOf(error)).toMatchObject({ status: 409, metadata });
});
