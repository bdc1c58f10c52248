/** Where things are on the device. Absolute paths; the places are those of the reference client. */
export interface SystemPaths {
  readonly configFile: string;
  readonly fallbackConfigFile: string;
  /** Journal, key, provides, deployment logs: all that must outlive an update of the root file system. */
  readonly datastore: string;
  /** The identity program that is run: one of the next two. */
  readonly identityScript: string;
  /** The device's own identity program. */
  readonly deviceIdentityScript: string;
  /** The package's identity program, used if the device has none of its own. */
  readonly packageIdentityScript: string;
  /** Searched in this order: the device's own, then those of the package. */
  readonly inventoryScripts: readonly string[];
  /** Searched in this order: the device's own, those of the Debian package, those of the npm package. */
  readonly modules: readonly string[];
  readonly rootfsScripts: string;
  /** See `PathOptions.root`. */
  readonly root: string | undefined;
  /** In memory: the lock and the status of the running daemon. */
  readonly run: string;
}

export interface PathOptions {
  /** The directory below which all paths of the device lie; `/` when absent. */
  readonly root?: string;
  readonly config?: string;
  readonly fallbackConfig?: string;
  readonly datastore?: string;
  /** Directory of the update modules that belong to this program and lie beside it, not under the root. */
  readonly ownModules?: string;
}

/** `path` of the device, as it is found under `root`. */
export function underRoot(root: string | undefined, path: string): string {
  return root === undefined ? path : `${root.replace(/\/+$/, "")}${path}`;
}

/** The device's paths. A path that the command line names is not moved under the root. */
export function systemPaths(options: PathOptions): SystemPaths {
  const at = (path: string): string => underRoot(options.root, path);
  const datastore = options.datastore ?? at("/var/lib/mender");
  const deviceIdentityScript = at("/usr/share/mender/identity/mender-device-identity");
  return {
    configFile: options.config ?? at("/etc/mender/mender.conf"),
    fallbackConfigFile: options.fallbackConfig ?? `${datastore}/mender.conf`,
    datastore,
    identityScript: deviceIdentityScript,
    deviceIdentityScript,
    packageIdentityScript: at("/usr/share/upkeep/identity/mender-device-identity"),
    inventoryScripts: [at("/usr/share/mender/inventory"), at("/usr/share/upkeep/inventory")],
    modules: [
      at("/usr/share/mender/modules/v3"),
      at("/usr/share/upkeep/modules/v3"),
      ...[options.ownModules ?? []].flat(),
    ],
    rootfsScripts: at("/etc/mender/scripts"),
    root: options.root,
    run: at("/run/upkeep"),
  };
}
