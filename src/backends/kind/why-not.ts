/** What cannot be done here, said before anybody has begun: what no machine could have, and what this one lacks. */
import type { Impairments } from "../../domain/impairments.js";
import { BackendError, type Intention } from "../backend.js";
import type { KindContext } from "./cluster.js";
import { imageHint, knownImages, nodeImage } from "./images.js";
import { isLate, NO_NETEM, refuseUnsupported } from "./impair.js";
import { NETEM_PROBE } from "./network.js";

/** A registry that does not answer is as good as none. Milliseconds. */
const REGISTRY_PATIENCE_MS = 20_000;

export async function whyNot(context: KindContext, intention: Intention): Promise<string | undefined> {
  try {
    switch (intention.kind) {
      case "impair":
        return await whyNotImpaired(context, intention.impairments);
      case "end-pods":
        return undefined;
      case "run-version":
        return await whyNotVersion(context, intention.version);
      case "run-addon":
        return `the images of ${intention.name} are in EKS's own registry, which gives them to nodes of AWS accounts alone`;
    }
  } catch (error) {
    if (error instanceof BackendError) return error.message;
    throw error;
  }
}

async function whyNotImpaired(
  { engine, nodeImages }: KindContext,
  impairments: Impairments,
): Promise<string | undefined> {
  refuseUnsupported(impairments);
  if (!isLate(impairments)) return undefined;
  for (const image of knownImages(nodeImages)) {
    if (!(await engine.hasImage(image))) continue;
    const args = ["run", "--rm", "--privileged", "--network", "none", "--entrypoint", NETEM_PROBE[0], image];
    const { exitCode } = await engine.run([...args, ...NETEM_PROBE.slice(1)], { anyExitCode: true });
    return exitCode === 0 ? undefined : NO_NETEM;
  }
  // Without an image nothing can be tried here yet; the fault itself is refused where it has to be.
  return undefined;
}

/** An image that is here will do, and one that its registry has will be pulled. */
async function whyNotVersion({ engine, nodeImages }: KindContext, version: string): Promise<string | undefined> {
  const image = nodeImage(version, nodeImages);
  if (await engine.hasImage(image)) return undefined;
  const asked = await engine
    .run(["manifest", "inspect", image], { anyExitCode: true, timeoutMs: REGISTRY_PATIENCE_MS })
    .catch((error: unknown) => {
      if (error instanceof BackendError) return { exitCode: 1, stderr: error.message };
      throw error;
    });
  if (asked.exitCode === 0) return undefined;
  const said = asked.stderr.trim().split("\n").at(-1) ?? "";
  return `the image ${image} is neither here nor to be had${said ? ` (${said})` : ""}. ${imageHint(version, image)}`;
}
