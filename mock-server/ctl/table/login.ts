import { type Command, command } from "../command.ts";

export const LOGIN_COMMANDS: readonly Command[] = [
  command("login", {
    describe: "Log in to a server, and keep the session in a profile",
    details: [
      "The password is asked for, or comes from --password-file or the variable UPKEEP_PASSWORD. With a token " +
        "(--token, --token-value, UPKEEP_TOKEN) that one is kept instead. Certificates of --ca are kept with it.",
      "--import-mender-cli takes the token that mender-cli keeps; it names no server, so that --server has to, " +
        "unless the configuration of mender-cli in the home directory or in /etc/mender-cli does.",
    ],
    options: {
      user: { kind: "text", aliases: ["username"], value: "EMAIL", describe: "E-mail address of the user" },
      "password-file": { kind: "text", value: "FILE", describe: "File with the password" },
      "2fa-code": { kind: "text", value: "CODE", describe: "Code of the second factor, if the server asks for one" },
      "import-mender-cli": { kind: "flag", describe: "Take the token of mender-cli" },
    },
    load: async () => (await import("../commands/login.ts")).login,
  }),
  command("logout", {
    describe: "End the session, and forget its token",
    load: async () => (await import("../commands/logout.ts")).logout,
  }),
  command("profile list", {
    describe: "List the servers and logins that are kept",
    load: async () => (await import("../commands/profile-list.ts")).profileList,
  }),
  command("profile use", {
    describe: "Choose the profile for all following commands",
    positionals: { name: { describe: "Name of the profile" } },
    load: async () => (await import("../commands/profile-use.ts")).profileUse,
  }),
  command("profile remove", {
    describe: "Forget a profile; its session goes on",
    positionals: { name: { describe: "Name of the profile" } },
    load: async () => (await import("../commands/profile-remove.ts")).profileRemove,
  }),
  command("completion", {
    describe: "Print the completion of a shell",
    details: [
      "For bash: 'source <(upkeepctl completion bash)'. For zsh: put it into a file _upkeepctl in a directory of fpath. " +
        "For fish: put it into ~/.config/fish/completions/upkeepctl.fish.",
    ],
    positionals: { shell: { choices: ["bash", "zsh", "fish"], describe: "The shell" } },
    load: async () => (await import("../commands/completion.ts")).completion,
  }),
];
