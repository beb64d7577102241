import { hash32 } from "../../clock/random.js";
import { digestOf } from "../runtime/hash.js";

/** Container images by name only: how containerd spells them, and which of them cannot be pulled. */
export interface Image {
  /** As in containerStatuses: `docker.io/library/nginx:latest`. */
  fullName: string;
  /** `docker.io/library/nginx@sha256:<64 hex>`; the same name always gives the same digest. */
  imageID: string;
  sizeBytes: number;
  /** Why it cannot be pulled. */
  problem?: "invalid" | "missing";
}

const REFERENCE =
  /^(?:[\w.-]+(?::\d+)?\/)*[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;
/** Tags that exist in no registry: what people, and the conformance tests, use to show a failing pull. */
const MISSING_TAGS = new Set(["404", "nonexistent", "non-existent", "does-not-exist"]);

const known = new Map<string, Image>();
const MEMO_LIMIT = 10_000;

export function imageOf(name: string): Image {
  const hit = known.get(name);
  if (hit) return hit;
  const image = describeImage(name);
  if (known.size >= MEMO_LIMIT) known.clear();
  known.set(name, image);
  return image;
}

function describeImage(name: string): Image {
  const sizeBytes = 20_000_000 + (hash32(name) % 180_000_000);
  if (!REFERENCE.test(name)) return { fullName: name, imageID: "", sizeBytes, problem: "invalid" };
  const [path = "", digest] = name.split("@");
  const slash = path.lastIndexOf("/");
  const colon = path.indexOf(":", slash + 1);
  const tag = colon < 0 ? undefined : path.slice(colon + 1);
  const bare = colon < 0 ? path : path.slice(0, colon);
  const first = bare.split("/")[0] ?? "";
  const hasRegistry = bare.includes("/") && /[.:]|^localhost$/.test(first);
  const repository = hasRegistry ? bare : bare.includes("/") ? `docker.io/${bare}` : `docker.io/library/${bare}`;
  return {
    fullName: digest ? `${repository}@${digest}` : `${repository}:${tag ?? "latest"}`,
    imageID: `${repository}@${digest ?? `sha256:${digestOf(`${repository}:${tag ?? "latest"}`)}`}`,
    sizeBytes,
    ...(tag !== undefined && MISSING_TAGS.has(tag) ? { problem: "missing" as const } : {}),
  };
}

/** containerd's words for an image that its registry does not have. */
export function notFoundText(name: string): string {
  const { fullName } = imageOf(name);
  return failedPull(fullName, "NotFound", `failed to resolve reference "${fullName}": ${fullName}: not found`);
}

const failedPull = (fullName: string, code: string, cause: string): string =>
  `rpc error: code = ${code} desc = failed to pull and unpack image "${fullName}": ${cause}`;

/** The same for an image whose registry does not answer. */
export function noAnswerText(name: string): string {
  const { fullName } = imageOf(name);
  const [, host = "", path = "", reference = ""] = /^([^/]+)\/(.+?)[:@]([^/]+)$/.exec(fullName) ?? [];
  const registry = host === "docker.io" ? "registry-1.docker.io" : host;
  const request = `Head "https://${registry}/v2/${path}/manifests/${reference}": net/http: TLS handshake timeout`;
  return failedPull(fullName, "Unknown", `failed to resolve reference "${fullName}": failed to do request: ${request}`);
}

/** The same for a node whose disk is full. */
export function noSpaceText(name: string): string {
  const { fullName } = imageOf(name);
  const file = `/var/lib/containerd/io.containerd.content.v1.content/ingest/${digestOf(fullName)}/data`;
  return failedPull(fullName, "Unknown", `write ${file}: no space left on device`);
}
