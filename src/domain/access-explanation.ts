/** Why a principal may or may not do something in a cluster: what `eksim explain-access` shows. Nothing secret is in it. */

/** What was asked, if anything. */
export interface AccessQuestion {
  verb: string;
  /** Absent for a path. */
  resource?: { group: string; resource: string; subresource?: string; namespace?: string; name?: string };
  /** `/metrics` */
  path?: string;
}

/** One thing that was looked at on the way, in order. */
export interface AccessStep {
  /** `IAM`, `access entry`, `aws-auth`, `cluster creator`, `access policy <name>`, `RBAC`, ... */
  what: string;
  /** `yes`: this decided, or would have. `no`: it says nothing. `skipped`: it is not asked in this mode. */
  outcome: "yes" | "no" | "skipped";
  why: string;
}

export interface AccessExplanation {
  cluster: { name: string; authenticationMode: string };
  principal: { arn: string; canonicalArn: string; uniqueId?: string };
  authentication: {
    outcome: "authenticated" | "refused";
    /** Why it was refused, as the API server's log says it. */
    why?: string;
    by?: string;
    username?: string;
    groups?: string[];
    steps: AccessStep[];
  };
  entry?: {
    principalArn: string;
    type: string;
    principalId?: string;
    /** Made for somebody who had the name before. */
    dead: boolean;
    kubernetesGroups: string[];
    policies: { name: string; scope: "cluster" | "namespace"; namespaces: string[] }[];
  };
  decision?: {
    question: AccessQuestion;
    allowed: boolean;
    /** In the words of the API server's reason. */
    reason: string;
    steps: AccessStep[];
  };
  /** The latest tokens that the cluster has refused, the last one first. */
  refusedTokens: { at: string; why: string; hint?: string; accessKeyId?: string; principalArn?: string }[];
}
