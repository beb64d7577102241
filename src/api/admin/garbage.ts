/** `/_eksim/garbage`: what is left outside the process of clusters and machines that nobody knows any more. Looked at with GET, removed with DELETE. */
import type { FastifyInstance } from "fastify";

export interface GarbageDependencies {
  /** Rejects with InvalidRequestException where nothing can be said, such as without a container engine. */
  collectGarbage(options: { remove: boolean }): Promise<readonly object[]>;
}

/** Of all accounts and regions: containers that nobody knows belong to none. */
export function registerGarbageRoutes(app: FastifyInstance, { collectGarbage }: GarbageDependencies): void {
  app.get("/_eksim/garbage", async () => ({ orphans: await collectGarbage({ remove: false }) }));
  app.delete("/_eksim/garbage", async () => ({ orphans: await collectGarbage({ remove: true }) }));
}
