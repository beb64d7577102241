/** The modules that clusters are made of: loaded with the first one, so that an emulator starts without them. */
export async function loadClusterModules() {
  const [{ createSimulatedCluster }, { eksObjects }, { createFargate }] = await Promise.all([
    import("../../kubernetes/create-cluster.js"),
    import("./eks-objects/index.js"),
    import("./fargate/fargate.js"),
    // For `listen`, which asks for it only then.
    import("../../kubernetes/server/api-server.js"),
  ]);
  return { createSimulatedCluster, eksObjects, createFargate };
}

export type ClusterModules = Awaited<ReturnType<typeof loadClusterModules>>;
