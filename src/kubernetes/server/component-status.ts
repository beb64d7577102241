/** ComponentStatus, deprecated since 1.19: no stored objects, but what the API server says of its neighbours when somebody asks. All of them live with it. */
import { StatusError } from "../errors.js";
import type { KubeObject } from "../object.js";
import type { ComputedSource } from "../registry/catalogue.js";
import type { ComponentStatus } from "../schema/generated/types.js";

const statusOf = (name: string): KubeObject => {
  const conditions: ComponentStatus["conditions"] = [{ type: "Healthy", status: "True", message: "ok" }];
  return { apiVersion: "v1", kind: "ComponentStatus", metadata: { name }, conditions } as unknown as KubeObject;
};

const COMPONENTS: readonly KubeObject[] = ["controller-manager", "etcd-0", "scheduler"].map(statusOf);

export const componentStatuses: ComputedSource = {
  list: () => COMPONENTS,
  get({ name }) {
    const found = COMPONENTS.find(({ metadata }) => metadata.name === name);
    // Upstream words it so, and answers as to an error of its own.
    if (!found) throw new StatusError(500, "", `Component not found: ${name}`);
    return found;
  },
};
