/** The simulated kubelets: nodes that register, run pods, fall silent and come back. */
export { createKubelets, type Kubelets, type KubeletsOptions } from "./create-kubelets.js";
export type { PodLogOptions } from "./pod-log.js";
