import { type Command, command } from "../command.ts";

export const RELEASE_COMMANDS: readonly Command[] = [
  command("releases list", {
    describe: "List releases",
    load: async () => (await import("../commands/releases-list.ts")).releasesList,
  }),
  command("releases show", {
    describe: "Show a release: its artifacts, for which devices they are, and what they hold",
    positionals: { release: { describe: "Name of the release" } },
    load: async () => (await import("../commands/releases-show.ts")).releasesShow,
  }),
  command("releases upload", {
    describe: "Upload artifacts",
    details: [
      "Where the server hands out links to its store, the artifact goes straight there. An upload that breaks off is " +
        "sent again; once all of it is there, a broken answer does not send it again.",
    ],
    positionals: { file: { describe: "Artifact (.mender)", several: true } },
    options: {
      description: { kind: "text", value: "TEXT", describe: "Description of the artifact" },
    },
    load: async () => (await import("../commands/releases-upload.ts")).releasesUpload,
  }),
  command("releases delete", {
    describe: "Delete releases with all their artifacts",
    positionals: { release: { describe: "Name of the release", several: true } },
    options: { yes: { kind: "flag", aliases: ["y"], describe: "Do not ask" } },
    load: async () => (await import("../commands/releases-delete.ts")).releasesDelete,
  }),
];
