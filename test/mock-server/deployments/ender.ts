import { Deployments, Uptime } from "../../../mock-server/deployments/index.ts";
import { Groups } from "../../../mock-server/devices/index.ts";
import { Storage, type StorageLocation } from "../../../mock-server/storage/index.ts";
import { BatchSystem } from "./batch-system.ts";

// Ends a deployment to many devices, or a group of them, and is killed before it comes to the end.
const [location = "", how = "", id = "", batch = ""] = process.argv.slice(2);
const system = new BatchSystem();
system.atBatch = (number) => {
  if (number === Number(batch)) process.kill(process.pid, "SIGKILL");
};
const storage = await Storage.open(JSON.parse(location) as StorageLocation, system.files);
const deployments = new Deployments(storage, system, new Uptime(system.unwatched));
switch (how) {
  case "abort":
    await deployments.abort(id);
    break;
  case "finish":
    await deployments.finish(id);
    break;
  default:
    await new Groups(storage, system.clock).delete(id);
}
