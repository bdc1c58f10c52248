/** A time as the APIs write it: RFC 3339, UTC. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}
