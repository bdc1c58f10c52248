/** The software of the devices of `try` and `npm run demo`: one program, `app`, and the update module that installs it. */

/** The payload type, and so the name of the update module. */
export const APP_MODULE = "demo-app";

/** The update module, which needs a POSIX shell. The agent tells it the device's root in UPKEEP_ROOT. */
export const APP_MODULE_TEXT = `#!/bin/sh
# Update module: the payload is one program, \`app\`, which must pass its own self-test on the device. If it does not,
# the program that ran before comes back.
set -eu
call=$1
tree=$2
directory=$UPKEEP_ROOT/opt/app
case $call in
  ArtifactInstall)
    mkdir -p "$directory"
    if [ -f "$directory/app" ]; then cp -p "$directory/app" "$tree/tmp/previous"; fi
    cp "$tree/files/app" "$directory/app.new"
    chmod 755 "$directory/app.new"
    sync "$directory/app.new"
    mv "$directory/app.new" "$directory/app"
    echo "installed $directory/app, running its self-test"
    "$directory/app" self-test
    ;;
  ArtifactRollback)
    if [ -f "$tree/tmp/previous" ]; then
      cp -p "$tree/tmp/previous" "$directory/app.new"
      mv "$directory/app.new" "$directory/app"
      echo "the previous app is back"
    else
      rm -f "$directory/app"
    fi
    ;;
  NeedsArtifactReboot) echo No ;;
  SupportsRollback) echo Yes ;;
esac
`;

/**
 * The program of a release.
 * @param selfTest Shell commands: whether they succeed decides about the update.
 */
export function appText(name: string, selfTest: string): string {
  return `#!/bin/sh
if [ "\${1:-}" = self-test ]; then
  echo "self-test of ${name}"
${selfTest.replaceAll(/^/gm, "  ")}
  exit
fi
echo "Hello, this is ${name}"
`;
}
