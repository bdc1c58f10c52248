#!/usr/bin/env node
// Before anything is imported: older versions cannot even read it.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`upkeepctl: Node 20.19 or newer is needed, and this is ${process.versions.node}\n`);
  process.exit(1);
}
void import("../dist/upkeepctl.mjs");
