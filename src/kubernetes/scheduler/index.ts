/** kube-scheduler of the simulated Kubernetes: one loop over pending pods, planned on a snapshot kept up to date by watches. */
export { createScheduler, type Scheduler, type SchedulerOptions } from "./create-scheduler.js";
