/**
 * Keeps web pages out: a server on a developer's machine must not obey a page that the developer happens to look at. Browsers tell where a page is from
 * (Origin), and a page that points a name of its own at this machine tells that name (Host).
 */
import { isIP } from "node:net";

/** Names that cannot be pointed here by a stranger. */
const HOSTS = /^(localhost|.+\.localhost|.+\.amazonaws\.com|.+\.amazonaws\.com\.cn|.+\.api\.aws)$/;
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|::1)$/;

/** `[::1]:4566` -> `::1`. */
function hostname(host: string): string {
  if (host.startsWith("[")) return host.slice(1, host.indexOf("]"));
  const colon = host.lastIndexOf(":");
  return (colon < 0 ? host : host.slice(0, colon)).toLowerCase();
}

/** Whether the Host header names this machine. `own` are further names that it goes by. HTTP/1.0 has no Host. */
export function isAllowedHost(host: string | undefined, own: readonly string[]): boolean {
  if (host === undefined || host === "") return true;
  const name = hostname(host);
  return isIP(name) !== 0 || HOSTS.test(name) || own.includes(name);
}

/** Whether the Origin header, when there is one, is of a page served from this machine or by this server. */
export function isAllowedOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  const authority = /^https?:\/\/([^/]+)$/.exec(origin)?.[1];
  if (authority === undefined) return false;
  return authority === host || LOOPBACK.test(hostname(authority));
}
