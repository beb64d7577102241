/** Faults: what there is to break, how it is asked for, and what it means. Pure; acting on it is the injector's part. */
export { meansOperation } from "./aws-api.js";
export { joiningFails, nodegroupIssues, touches, zoneHasCapacity, zoneHasPower } from "./capacity.js";
export {
  answersByChance,
  type CatalogueEntry,
  catalogueEntries,
  FAULTS,
  faultNamed,
  faultTitle,
  knownFault,
} from "./catalogue.js";
export { combine, type WholeWants } from "./combine.js";
export type {
  ActingFault,
  ApiTrouble,
  ClusterFacts,
  ClusterWants,
  FaultDefinition,
  FaultFamily,
  MachineTrouble,
  Once,
  OperationsOf,
  SpotNotice,
} from "./definition.js";
export { hitWords, meansWhoComes, type ZoneStock } from "./hits.js";
export { STOPPING_MS } from "./node.js";
export { durationText, isLong, type Parameter, type Parameters, readParameters } from "./parameters.js";
export { type ReadRequest, type RequestReaders, readRequest, readTarget } from "./read-request.js";
export type { FaultRequest, FaultView } from "./request.js";
export type { FaultTarget, FaultTargetMember, ResolvedTargets, TargetNode, TargetType } from "./target.js";
export { isKnownToEc2, mergeUndo, undoOf } from "./undo.js";
