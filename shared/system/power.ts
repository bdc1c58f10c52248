export interface Power {
  /**
   * Requests a reboot of the machine. Resolves when the request is accepted; the program is ended some time later.
   * Rejects when the request is refused.
   */
  reboot(): Promise<void>;
}
