/** The public library: an emulator inside your own process, for tests and scripts. */

export type {
  BehaviourProgram,
  ContainerContext,
  ExecAnswer,
  HttpAnswer,
  ImageBehaviour,
  PodHttpRequest,
} from "../backends/embedded/embedded-backend.js";
export type { FaultRequest, FaultTarget, FaultView } from "../domain/faults/index.js";
export type { DrillResult } from "../faults/drills/result.js";
export { ApiError } from "./http.js";
export { type EksClientConfig, type Eksim, type EksimOptions, startEksim, type ZonalShift } from "./start-eksim.js";
