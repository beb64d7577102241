/** Addresses that servers listen on, as clients on the same machine use them. */

/** Where a server on this address is reached: a wildcard address is reached by the loopback one of its family. */
export const reachableAddress = (host: string): string =>
  host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;

/** The same as a URL has it: addresses of IPv6 are in brackets. */
export function hostInUrl(host: string): string {
  const address = reachableAddress(host);
  return address.includes(":") ? `[${address}]` : address;
}
