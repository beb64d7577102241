/** Calls of the EKS API by the command line, signed with the credentials that AWS's own tools find in the environment. */
import { createClock } from "../clock/create-clock.js";
import { processEnvironment, UsageError } from "../config.js";
import { ApiError, type Caller, eksCall } from "../testkit/http.js";
import type { Target } from "./client.js";

/** The caller whom AWS_ACCESS_KEY_ID and its fellows name; `test` when there are none. */
export function callerOf({ endpoint, region }: Target): Caller {
  const environment = processEnvironment();
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secret = "" } = environment;
  if ((accessKeyId === "") !== (secret === ""))
    throw new UsageError("give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY together, or neither");
  const sessionToken = environment.AWS_SESSION_TOKEN;
  const clock = createClock({ kind: "real" }, { seed: 1 });
  return {
    endpoint,
    region,
    credentials: {
      accessKeyId: accessKeyId || "test",
      secretAccessKey: secret || "test",
      ...(accessKeyId && sessionToken ? { sessionToken } : {}),
    },
    wallNow: () => clock.wallNow(),
  };
}

export interface DescribedCluster {
  endpoint?: string;
  certificateAuthority?: { data?: string };
}

/** DescribeCluster. Its refusals become UsageErrors. */
export async function describeCluster(caller: Caller, name: string): Promise<DescribedCluster> {
  try {
    const path = `/clusters/${encodeURIComponent(name)}`;
    return (await eksCall<{ cluster: DescribedCluster }>(caller, "GET", path)).cluster;
  } catch (error) {
    if (error instanceof ApiError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
