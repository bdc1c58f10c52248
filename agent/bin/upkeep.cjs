#!/usr/bin/env node
require("../dist/upkeep.cjs");
