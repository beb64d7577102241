import type { UserInfo } from "../api.js";
import type { KubeObject } from "../object.js";
import type { ResourceInfo } from "../schema/resource-info.js";
import type { Reinvocation } from "./reinvocation.js";

export interface AdmissionRequest {
  operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  info: ResourceInfo;
  subresource?: string;
  namespace?: string;
  name: string;
  user: UserInfo;
  dryRun: boolean;
  /** Tells the client something without refusing (`Warning: 299`); absent where nobody listens. */
  warn?(message: string): void;
  /** Who asks can be kept waiting until time has gone by; others, who are part of what happens in the cluster, are told at once. */
  patient?: boolean | undefined;
  /** Mutable in `admit`, final in `validate`; absent on DELETE. */
  object?: KubeObject;
  previous?: KubeObject;
  /** There once a policy or webhook may change the object: whether mutation has to run a second time. */
  reinvocation?: Reinvocation;
}

/** Reads that plugins need. */
export interface AdmissionReader {
  nowMs(): number;
  get(resource: string, key: { namespace?: string; name: string }): KubeObject | undefined;
  list(resource: string, namespace?: string): readonly KubeObject[];
}

/** One admission plugin, named as in kube-apiserver's --enable-admission-plugins. A refusal is a thrown StatusError. Plugins without webhooks stay synchronous. */
export interface AdmissionPlugin {
  name: string;
  admit?(request: AdmissionRequest, reader: AdmissionReader): void | Promise<void>;
  validate?(request: AdmissionRequest, reader: AdmissionReader): void | Promise<void>;
}
