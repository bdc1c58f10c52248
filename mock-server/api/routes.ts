import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import type { Domain } from "../domain.ts";
import { DomainError } from "../errors.ts";
import type { DownloadLinks } from "../releases/links.ts";
import type { Blobs } from "../storage/blobs/index.ts";
import type { ConnectionCounts } from "../system/connection-counts.ts";
import { configurationDownloadRoutes } from "./configuration-download.ts";
import { authorizeRoutes } from "./devices/authorize.ts";
import { deviceConfigurationRoutes } from "./devices/configuration.ts";
import { deviceDeploymentRoutes as reportingRoutes } from "./devices/deployments.ts";
import { deviceInventoryRoutes } from "./devices/inventory.ts";
import { LeftOutLog } from "./devices/left-out-log.ts";
import type { PollRefusals } from "./devices/poll-refusals.ts";
import { downloadRoutes } from "./download.ts";
import type { EventFeed } from "./events/feed.ts";
import { eventRoutes } from "./events/routes.ts";
import { LoginLimit } from "./login-limit.ts";
import type { IndexingView } from "./management/artifact-shape.ts";
import { artifactRoutes } from "./management/artifacts.ts";
import { attributeValueRoutes } from "./management/attribute-values.ts";
import { browserSessionRoutes } from "./management/browser-session.ts";
import { bulkRoutes } from "./management/bulk.ts";
import { configurationRoutes } from "./management/configurations.ts";
import { deploymentFailureRoutes } from "./management/deployment-failures.ts";
import { deploymentLogRoutes } from "./management/deployment-logs.ts";
import { deploymentPreviewRoutes } from "./management/deployment-preview.ts";
import { deploymentProgressRoutes } from "./management/deployment-progress.ts";
import { deploymentRoutes } from "./management/deployments.ts";
import { deviceDeploymentRoutes } from "./management/device-deployments.ts";
import { deviceLimitRoutes } from "./management/device-limits.ts";
import { deviceRoutes } from "./management/devices.ts";
import { directUploadRoutes } from "./management/direct-upload.ts";
import { groupRoutes } from "./management/groups.ts";
import { identitySearchRoutes } from "./management/identity-search.ts";
import { inventoryRoutes } from "./management/inventory.ts";
import { planRoutes } from "./management/plans.ts";
import { releaseRoutes } from "./management/releases.ts";
import { roleRoutes } from "./management/roles.ts";
import { savedFilterRoutes } from "./management/saved-filters.ts";
import { sessionRoutes } from "./management/sessions.ts";
import { softwareRoutes } from "./management/software.ts";
import { tagRoutes } from "./management/tags.ts";
import { uploadRoutes } from "./management/upload.ts";
import { settingsRoutes } from "./management/user-settings.ts";
import { userRoutes } from "./management/users.ts";
import { openApiRoutes } from "./openapi/routes.ts";
import type { RequestMetrics } from "./operations/metrics.ts";
import { operationRoutes } from "./operations/routes.ts";
import type { ServerOptions } from "./options.ts";
import type { Route } from "./route.ts";
import type { SessionCookie } from "./session-cookie.ts";

export interface RoutePorts {
  readonly system: System;
  readonly domain: Domain;
  readonly blobs: Blobs;
  readonly links: DownloadLinks;
  readonly options: ServerOptions;
  readonly sessionCookie: SessionCookie;
  readonly metrics: RequestMetrics;
  readonly feed: EventFeed;
  /** Of the door through which the requests come; absent: they come through none. */
  readonly connections?: ConnectionCounts;
  readonly logger: Logger;
  readonly refusals?: PollRefusals;
  /** Absent: all downloads are plain. */
  readonly indexing?: IndexingView;
  /** Aborted when the server is about to end. */
  readonly ending?: AbortSignal;
}

/** Everything that the server answers. */
export function allRoutes(ports: RoutePorts, others: readonly Route[] = []): Route[] {
  const routes = [...protocolRoutes(ports), ...operationRoutes(ports), ...others];
  return [...routes, ...openApiRoutes(routes)];
}

/** What the peers' programs ask. */
function protocolRoutes(ports: RoutePorts): Route[] {
  const { system, domain, blobs, links, options, feed, logger, refusals, sessionCookie, indexing } = ports;
  const artifact = async (id: string) => {
    try {
      return await domain.artifacts.get(id);
    } catch (error) {
      if (error instanceof DomainError && error.kind === "not-found") return undefined;
      throw error;
    }
  };
  const loginLimit = new LoginLimit(system);
  return [
    ...authorizeRoutes(domain),
    ...reportingRoutes({
      domain,
      links,
      blobs,
      linkLifeMs: options.downloadLinkLifeMs,
      isAdaptive: indexing !== undefined,
      ...given({ refusals }),
    }),
    ...deviceInventoryRoutes(domain, new LeftOutLog({ logger, clock: system.clock })),
    ...deviceConfigurationRoutes(domain),
    ...downloadRoutes({
      links,
      blobs,
      artifact,
      index: async (id) => (await domain.artifacts.indexesOf([id])).get(id),
      signs: { ...system, logger, touch: (id) => domain.deviceSide.touch(id) },
    }),
    ...configurationDownloadRoutes(links, domain.deviceSide),
    ...sessionRoutes(domain, loginLimit),
    ...browserSessionRoutes(domain, loginLimit, sessionCookie),
    ...userRoutes(domain, logger, loginLimit),
    ...roleRoutes(),
    ...settingsRoutes(domain),
    ...planRoutes(),
    ...deviceRoutes(domain),
    ...bulkRoutes(domain),
    ...deviceLimitRoutes(domain),
    ...inventoryRoutes(domain),
    ...attributeValueRoutes(domain),
    ...identitySearchRoutes(domain),
    ...groupRoutes(domain),
    ...tagRoutes(domain),
    ...savedFilterRoutes(domain),
    ...uploadRoutes({ system, domain, blobs }),
    ...directUploadRoutes({ system, domain, blobs, links }),
    ...artifactRoutes({ domain, blobs, links, ...given({ indexing }) }),
    ...releaseRoutes(domain, blobs),
    ...softwareRoutes(domain),
    ...deploymentRoutes(domain, logger),
    ...deploymentPreviewRoutes(domain),
    ...deploymentFailureRoutes(domain),
    ...deploymentLogRoutes(domain),
    ...deploymentProgressRoutes(domain),
    ...deviceDeploymentRoutes(domain),
    ...configurationRoutes(domain),
    ...eventRoutes(feed, domain),
  ];
}
