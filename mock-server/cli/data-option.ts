/** `--data`, as every command that works on a data directory takes it. */
export const DATA_OPTION = {
  type: "string",
  describe: "The server's data directory",
  defaultDescription: "$XDG_DATA_HOME/upkeep-server or ~/.local/share/upkeep-server",
  requiresArg: true,
} as const;
