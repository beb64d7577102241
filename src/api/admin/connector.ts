/** Plays the agent of the EKS connector, which on a real cluster reports to Systems Manager with the activation that its manifest carries. */
import type { Clock } from "../../clock/clock.js";
import { noClusterFound } from "../../domain/eks/refusals.js";
import { DomainError } from "../../domain/errors.js";
import type { Scope } from "../../domain/model.js";
import type { State } from "../../state/state.js";

export interface Activation {
  activationId?: string | undefined;
  activationCode?: string | undefined;
}

/** The registered cluster is connected from now on. Throws when there is none, its time is over, or the activation is another one's. */
export function connectCluster(
  { state, clock }: { state: State; clock: Clock },
  scope: Scope,
  name: string,
  { activationId, activationCode }: Activation,
): { message: string } {
  return state.transaction(() => {
    const registration = state.registrations.get(scope, name);
    if (!registration) throw noClusterFound(name);
    if (activationId !== registration.activationId || activationCode !== registration.activationCode) {
      throw new DomainError(
        "AccessDeniedException",
        "activationId and activationCode are not those of the registration",
      );
    }
    if (registration.status === "FAILED") {
      throw new DomainError("InvalidRequestException", `The activation of ${name} has expired; register it again`, {
        clusterName: name,
      });
    }
    const message = `The registered cluster ${name} is connected.`;
    if (registration.status === "ACTIVE") return { message };
    state.registrations.put({ ...registration, status: "ACTIVE" });
    state.events.append({
      atMs: clock.now(),
      ...scope,
      clusterName: name,
      source: "cluster",
      type: "ClusterConnected",
      subject: name,
      message,
    });
    return { message };
  });
}
