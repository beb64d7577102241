/** The modules that clusters are made of: loaded with the first one, so that an emulator starts without them. */
export async function loadClusterModules() {
  const [{ createSimulatedCluster }, { eksObjects }, { createFargate }, { startNodeMonitoring }] = await Promise.all([
    import("../../kubernetes/create-cluster.js"),
    import("./eks-objects/index.js"),
    import("./fargate/fargate.js"),
    import("./node-monitoring.js"),
    // For `listen`, which asks for it only then.
    import("../../kubernetes/server/api-server.js"),
  ]);
  return { createSimulatedCluster, eksObjects, createFargate, startNodeMonitoring };
}

export type ClusterModules = Awaited<ReturnType<typeof loadClusterModules>>;
