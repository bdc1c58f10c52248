import { Deployments } from "../../../mock-server/deployments/index.ts";
import { Storage, type StorageLocation } from "../../../mock-server/storage/index.ts";
import { BatchSystem } from "./batch-system.ts";

// Ends a deployment to many devices, and is killed before it comes to the end.
const [location = "", how = "", id = "", batch = ""] = process.argv.slice(2);
const system = new BatchSystem();
system.atBatch = (number) => {
  if (number === Number(batch)) process.kill(process.pid, "SIGKILL");
};
const storage = await Storage.open(JSON.parse(location) as StorageLocation, system.files);
const deployments = new Deployments(storage, system);
await (how === "abort" ? deployments.abort(id) : deployments.finish(id));
