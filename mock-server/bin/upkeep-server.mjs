#!/usr/bin/env node
import "../dist/upkeep-server.mjs";
