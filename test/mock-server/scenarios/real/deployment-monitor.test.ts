// A deployment that ends while the runner reads it, request by request.
import { expect, test } from "vitest";
import { DeploymentMonitor } from "../../../../mock-server/scenarios/real/deployment-monitor.ts";
import { History } from "../../../../mock-server/scenarios/run/events.ts";

/** The statuses that are seen of a deployment that ends with the given request. */
async function seenWhenItEndsWith(request: number): Promise<string[]> {
  let requests = 0;
  const isOver = (): boolean => requests >= request;
  const server = {
    ask: async (_method: string, path: string) => {
      requests += 1;
      return path.endsWith("/devices")
        ? [{ id: "id", status: isOver() ? "success" : "installing", log: false }]
        : { status: isOver() ? "finished" : "inprogress" };
    },
    answer: async () => ({ text: "", location: "" }),
    unlessDown: <T>(exchange: () => Promise<T>) => exchange(),
  };
  const history = new History(() => 0);
  const device = { name: "d1", status: undefined, deployment: undefined };
  const monitor = new DeploymentMonitor(server, { deploymentIds: new Map([["first", "1"]]) }, new Map([["d1", "id"]]), {
    devices: new Map([["d1", device]]),
    history,
    broken: (error) => {
      throw error;
    },
  });
  for (let round = 0; round < request; round += 1) await monitor.refresh();
  return history.events.flatMap((event) => (event.kind === "status" ? [event.status] : []));
}

test.each([1, 2, 3, 4])(
  "The last status of a device is seen if the deployment ends with request %i",
  async (request) => {
    expect((await seenWhenItEndsWith(request)).at(-1)).toBe("success");
  },
);
