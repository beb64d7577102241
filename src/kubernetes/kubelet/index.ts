/** The simulated kubelets: nodes that register, run pods, fall silent and come back. */
export { createKubelets } from "./create-kubelets.js";
export type { Kubelets, KubeletsOptions } from "./kubelets.js";
export type { PodLogOptions } from "./pod-log.js";
