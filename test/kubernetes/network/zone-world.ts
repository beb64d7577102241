/** A simulated cluster with a node in each of three zones, what can be broken between them, and scripts that are run in pods. */
import type { LinkTrouble } from "../../../src/kubernetes/network/links.js";
import type { Node, Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

export type World = Awaited<ReturnType<typeof startSimulated>>;
export const [A, B, C] = ["us-east-1a", "us-east-1b", "us-east-1c"] as const;
const AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.56";

export async function threeZones(): Promise<World> {
  const world = await startSimulated();
  for (let i = 0; i < 3; i++) await world.cluster.addNode(nodeSpec(i));
  await world.clock.advance(10_000);
  return world;
}

export const between = (
  one: string,
  other: string,
  trouble: Partial<LinkTrouble>,
  of?: "machines" | "masters",
): LinkTrouble[] =>
  [
    [one, other],
    [other, one],
  ].map(([from = "", to = ""]) => ({ from: { zone: from, of }, to: { zone: to, of }, ...trouble }) as LinkTrouble);
export const isolation = (zone: string, trouble: Partial<LinkTrouble> = { cut: true }): LinkTrouble[] =>
  [A, B, C].filter((other) => other !== zone).flatMap((other) => between(zone, other, trouble));

export const readyOf = ({ cluster }: World, node: string): string | undefined =>
  cluster.api.get<Node>("nodes", { name: node })?.status?.conditions?.find(({ type }) => type === "Ready")?.status;

export const podOn = (
  { cluster }: World,
  index: number,
  name: string,
  command: readonly string[],
  image = "busybox:1",
): Promise<Pod> =>
  cluster.api.create<Pod>("pods", {
    metadata: { name, namespace: "default", labels: { app: name } },
    spec: {
      nodeName: `node-${index}`,
      restartPolicy: "Never",
      tolerations: [{ operator: "Exists" }],
      containers: [{ name: "app", image, ...(image === AGNHOST ? { args: [...command] } : { command: [...command] }) }],
    },
  });
export const serverOn = (world: World, index: number, name: string) =>
  podOn(world, index, name, ["netexec", "--http-port", "8080"], AGNHOST);
export const addressOf = ({ cluster }: World, name: string): string =>
  cluster.api.get<Pod>("pods", { namespace: "default", name })?.status?.podIP ?? "";

/** Runs a script in a pod of the node, and gives what it has printed by then. */
export async function run(world: World, index: number, script: string, withinMs = 200_000): Promise<string> {
  const name = `client-${index}-${world.cluster.api.revision}`;
  await podOn(world, index, name, ["sh", "-c", `(${script}) > /dev/termination-log 2>&1`]);
  const key = { namespace: "default", name };
  const message = () =>
    world.cluster.api.get<Pod>("pods", key)?.status?.containerStatuses?.[0]?.state?.terminated?.message;
  await world.clock.advanceUntil(() => message() !== undefined, withinMs);
  return (message() ?? "it has not ended").trim();
}
