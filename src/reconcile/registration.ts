/** Registered clusters: those whose connector nobody installed within three days are given up. */
import { type ReconcileContext, scopedKey } from "./context.js";

export async function reconcileRegistration(context: ReconcileContext, key: string): Promise<void> {
  const { state, clock } = context;
  const { scope, name } = scopedKey(key);
  const registration = state.registrations.get(scope, name);
  if (registration?.status !== "PENDING") return;
  const { activationExpiryMs } = registration;
  if (clock.now() < activationExpiryMs) return context.schedule("registration", key, activationExpiryMs);
  state.transaction(() => {
    state.registrations.put({ ...registration, status: "FAILED" });
    state.events.append({
      atMs: clock.now(),
      ...scope,
      clusterName: name,
      source: "cluster",
      type: "RegistrationExpired",
      subject: name,
      message: `Nobody connected the registered cluster ${name} within three days; it is no longer listed.`,
    });
  });
}
