/** Which node image runs which version of Kubernetes. kind's own default is the image of another version. */
import { BackendError } from "../backend.js";

/** The patch versions of kind's release notes; any of them can be given another image with --kind-node-image. */
const NODE_IMAGES: Readonly<Record<string, string>> = {
  "1.36": "kindest/node:v1.36.2",
  "1.35": "kindest/node:v1.35.6",
  "1.34": "kindest/node:v1.34.9",
  "1.33": "kindest/node:v1.33.13",
  "1.32": "kindest/node:v1.32.13",
  "1.31": "kindest/node:v1.31.14",
  "1.30": "kindest/node:v1.30.14",
};

/** The image of a minor version such as `1.36`. Rejects versions that there is none for, saying how to name one. */
export function nodeImage(version: string, chosen: ReadonlyMap<string, string>): string {
  const image = chosen.get(version) ?? NODE_IMAGES[version];
  if (image !== undefined) return image;
  throw new BackendError(
    "failed",
    `there is no node image for Kubernetes ${version}; name one with --kind-node-image ${version}=<image>`,
  );
}

/** Images of all versions, those that were chosen first. */
export const knownImages = (chosen: ReadonlyMap<string, string>): string[] => [
  ...new Set([...chosen.values(), ...Object.values(NODE_IMAGES)]),
];

/** What to do when an image cannot be had. */
export const imageHint = (version: string, image: string): string =>
  `Pull it with: docker pull ${image} (or choose another one with --kind-node-image ${version}=<image>)`;
