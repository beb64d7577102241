/** The real SDK's IAM client, at a gateway of the tests. */
import { IAMClient } from "@aws-sdk/client-iam";
import type { Rig } from "../gateway-rig.js";

export const iamClient = ({ url }: Rig): IAMClient =>
  new IAMClient({
    endpoint: url,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    maxAttempts: 1,
  });
