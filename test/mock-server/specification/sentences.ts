/** A sentence of the specification of deployments, in our words. */
export interface Sentence {
  readonly about: string;
  /** It speaks of the console. What it says of groups, targets and ends is shown through the API. */
  readonly console?: true;
}

/** All sentences, numbered by section and sentence. Tests begin with the numbers that they show. */
export const SENTENCES: Readonly<Record<string, Sentence>> = {
  // The opening
  "1.1": { about: "a deployment brings a release to one or more devices" },
  "1.2": { about: "of several artifacts a device is assigned the one that fits it" },
  "1.3": { about: "it ties a release to devices that speak the device API" },
  "1.4": { about: "its id is random, unique, given at its creation" },
  "1.5": { about: "it has an artifact" },
  "1.6": { about: "it has devices" },
  "1.7": { about: "it may have phases: a share at a time, or a start in the future" },
  "1.8": { about: "it may have retries for each device" },
  "1.9": { about: "only accepted devices take part, and each finishes it once" },
  "1.10": { about: "a device gets the oldest first" },
  // Static groups
  "2.1": { about: "a static group is a list of ids of devices" },
  "2.2": { about: "devices are put in and taken out by hand or through the API", console: true },
  "2.3": { about: "a device must exist before it is put in or taken out" },
  // Deployment to static groups
  "3.1": { about: "a list of devices can be targeted", console: true },
  "3.2": { about: "all devices of a static group can be targeted", console: true },
  "3.3": { about: "it has a list of devices and finishes once all have finished" },
  "3.4": { about: "the group is looked up when the deployment is created; later members are not included" },
  // Dynamic groups
  "4.1": { about: "a dynamic group is a filter and no list" },
  "4.2": { about: "whom it matches changes with new devices and with attributes" },
  // Deployment to dynamic groups
  "5.1": { about: "a deployment to a filter is for an open group as long as it is not closed" },
  "5.2": { about: "it never finishes by itself, but when a user stops it" },
  "5.3": { about: "or after a maximum of devices" },
  "5.4": { about: "a device is in one static group at most, and in any number of dynamic ones" },
  // Life cycle
  "6.1": { about: "it is pending until a targeted device asks, by list or by filter" },
  "6.2": { about: "it is in progress when a device is performing the update" },
  "6.3": { about: "one to a list is finished when all its devices have finished, well or not" },
  "6.4": { about: "one to a filter is different, for it has no list" },
  "6.5": { about: "so it stays pending until one of two things happens" },
  "6.6": { about: "a user marks it as completed", console: true },
  "6.7": { about: "or as many devices were updated as it may have" },
  "6.8": { about: "then it is finished, and no other device uses it" },
  // Device deployment
  "7.1": { about: "what a device makes of a deployment is kept while it lasts and afterwards" },
  "7.2": { about: "it tells device, deployment and artifact" },
  "7.3": { about: "it tells status and substatus" },
  "7.4": { about: "it tells when it was created and completed" },
  "7.5": { about: "it has the logs, if there are any" },
  "7.6": { about: "the statuses under way" },
  "7.7": { about: "the statuses at the end" },
  // Algorithm
  "8.1": { about: "a device may be targeted by one deployment or more" },
  "8.2": { about: "when it asks, the oldest that it has not finished is looked for" },
  "8.3": { about: "its device deployment is created, pending" },
  "8.4": { about: "in a phased one with an active phase things go on" },
  "8.5": { about: "without an active phase there are no instructions" },
  "8.6": { about: "if an artifact can be assigned, there are instructions" },
  "8.7": { about: "if none can, there are none, and the status is noartifact" },
  "8.8": { about: "if it is installed already, there are none, and the status is already-installed" },
};
