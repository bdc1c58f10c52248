export interface Power {
  /**
   * Ask the machine to reboot. Resolves when the request was taken; the program is ended some time
   * later. Rejects when the request was refused.
   */
  reboot(): Promise<void>;
}
