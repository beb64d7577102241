/** Paths beside resources: which there are, and the list of them all at `/`. */
import type { ResourceInfo } from "../schema/resource-info.js";
import { healthPaths } from "./health.js";

const FIXED = ["/metrics", "/openapi/v2", "/openapi/v3", "/version"];
/** Where the issuer of service account tokens is described, if it is this server. */
const OPENID = ["/.well-known/openid-configuration", "/openid/v1/jwks"];

/** What `/` answers: sorted, and groups with their versions beside everything else. */
export function rootPaths(infos: readonly ResourceInfo[], { openid }: { openid: boolean }): string[] {
  const groups = infos.flatMap(({ group, version }) =>
    group ? [`/apis/${group}`, `/apis/${group}/${version}`] : [`/api/${version}`],
  );
  return [...new Set(["/api", "/apis", ...groups, ...healthPaths(), ...FIXED, ...(openid ? OPENID : [])])].sort();
}

const TREES = ["/api", "/apis", "/openapi/v3"];

/** Whether anything at all may be at a path that is no health check. */
export const isServed = (path: string): boolean =>
  path === "" ||
  path === "/" ||
  OPENID.includes(path) ||
  FIXED.some((known) => path === known || path === `${known}/`) ||
  TREES.some((tree) => path === tree || path.startsWith(`${tree}/`));
