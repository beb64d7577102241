import type { SimulatedCluster } from "../../src/kubernetes/cluster.js";
import { httpsCaller } from "./https-caller.js";

/** Options of a cluster whose token `admin` is a member of system:masters, and whose other tokens are user names. */
export const tokenUsers = {
  tokenAuthenticators: [
    {
      name: "test",
      authenticate: (token: string) =>
        token.includes(".")
          ? undefined
          : { user: { username: token, groups: token === "admin" ? ["system:masters"] : [] } },
    },
  ],
};

/** Serves the cluster over HTTPS and gives a plain client for it. */
export async function connect(cluster: SimulatedCluster, caCert: string) {
  const port = await cluster.listen({ host: "127.0.0.1", port: 0 });
  return { port, call: httpsCaller(port, caCert) };
}

export type Client = Awaited<ReturnType<typeof connect>>;
