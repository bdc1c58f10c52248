const DEVICES_MAX = 10_000;

/** One value for each of the devices that were set last; older ones are dropped, so memory is bounded. */
export class RecentDevices<T> {
  readonly #values = new Map<string, T>();

  get(deviceId: string): T | undefined {
    return this.#values.get(deviceId);
  }

  set(deviceId: string, value: T): void {
    this.#values.delete(deviceId);
    this.#values.set(deviceId, value);
    if (this.#values.size <= DEVICES_MAX) return;
    const [oldest] = this.#values.keys();
    if (oldest !== undefined) this.#values.delete(oldest);
  }

  /** @returns True if the device had a value. */
  delete(deviceId: string): boolean {
    return this.#values.delete(deviceId);
  }
}
