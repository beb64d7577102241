/** Subscriptions of EKS Anywhere: their status follows from the time alone. */
import { nextChangeMs, stepOf } from "../domain/subscription.js";
import { type ReconcileContext, scopedKey } from "./context.js";

export async function reconcileSubscription(context: ReconcileContext, key: string): Promise<void> {
  const { state, clock, profile } = context;
  const { scope, name: id } = scopedKey(key);
  const settleMs = { CREATING: profile.subscriptionCreateMs, UPDATING: profile.subscriptionUpdateMs };
  state.transaction(() => {
    for (let subscription = state.subscriptions.get(scope, id); subscription; ) {
      const dueMs = nextChangeMs(subscription, settleMs);
      if (dueMs === undefined) return;
      if (clock.now() < dueMs) return context.schedule("subscription", key, dueMs);
      const { next, event } = stepOf(subscription, clock.now());
      state.subscriptions.put(next);
      state.events.append({
        atMs: clock.now(),
        ...scope,
        source: "subscription",
        type: event,
        subject: next.name,
        message: `The EKS Anywhere subscription ${next.name} is ${next.status}.`,
      });
      subscription = next;
    }
  });
}
