import {
  AssociateAccessPolicyCommand,
  CreateAccessEntryCommand,
  CreateClusterCommand,
  DeleteAccessEntryCommand,
  DisassociateAccessPolicyCommand,
  ListAccessEntriesCommand,
  ListAssociatedAccessPoliciesCommand,
  UpdateAccessEntryCommand,
} from "@aws-sdk/client-eks";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CLUSTER, type Rig, startRig } from "../gateway-rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());

const arn = (principal: string) => `arn:aws:iam::000000000000:${principal}`;
const policyArn = (name: string) => `arn:aws:eks::aws:cluster-access-policy/${name}`;

const principal = fc.constantFrom("role/a", "role/b", "user/c");
const policy = fc.constantFrom("AmazonEKSViewPolicy", "AmazonEKSAutoNodePolicy", "AmazonEKSHybridPolicy", "None");
const call = fc.oneof(
  fc.record({ kind: fc.constant("create"), principal, type: fc.constantFrom("STANDARD", "EC2", "EC2_LINUX") }),
  fc.record({ kind: fc.constant("delete"), principal }),
  fc.record({ kind: fc.constant("update"), principal, group: fc.constantFrom("devs", "system:masters") }),
  fc.record({ kind: fc.constant("associate"), principal, policy }),
  fc.record({ kind: fc.constant("disassociate"), principal, policy }),
);
type Call = { kind: string; principal: string; type?: string; group?: string; policy?: string };

/** What EKS's rules say of a call, and what it leaves: principals with their type and policies. */
type Model = Map<string, { type: string; policies: Set<string> }>;

function expected(model: Model, { kind, principal, type = "", group, policy = "" }: Call): string {
  const entry = model.get(principal);
  const missing = "ResourceNotFoundException";
  if (kind === "create") {
    if (type !== "STANDARD" && principal.startsWith("user/")) return "InvalidParameterException";
    if (entry) return "ResourceInUseException";
    model.set(principal, { type, policies: new Set() });
    return "ok";
  }
  if (!entry) return missing;
  switch (kind) {
    case "delete":
      model.delete(principal);
      return "ok";
    case "update":
      return group === "devs" && entry.type === "STANDARD" ? "ok" : "InvalidParameterException";
    case "disassociate":
      return entry.policies.delete(policy) ? "ok" : missing;
    default:
      if (policy === "None") return missing;
      if (entry.type !== "STANDARD" && !(entry.type === "EC2" && policy === "AmazonEKSAutoNodePolicy"))
        return "InvalidRequestException";
      if (policy === "AmazonEKSHybridPolicy") return "InvalidParameterException";
      entry.policies.add(policy);
      return "ok";
  }
}

async function perform(clusterName: string, { kind, principal, type, group, policy = "" }: Call): Promise<string> {
  const names = { clusterName, principalArn: arn(principal) };
  const send = (): Promise<unknown> => {
    switch (kind) {
      case "create":
        return rig.client.send(new CreateAccessEntryCommand({ ...names, type }));
      case "delete":
        return rig.client.send(new DeleteAccessEntryCommand(names));
      case "update":
        return rig.client.send(new UpdateAccessEntryCommand({ ...names, kubernetesGroups: [group ?? ""] }));
      case "associate":
        return rig.client.send(
          new AssociateAccessPolicyCommand({
            ...names,
            policyArn: policyArn(policy),
            accessScope: { type: "cluster" },
          }),
        );
      default:
        return rig.client.send(new DisassociateAccessPolicyCommand({ ...names, policyArn: policyArn(policy) }));
    }
  };
  return send().then(
    () => "ok",
    (error: Error) => error.name,
  );
}

describe("Any sequence of calls about access entries", () => {
  it("is answered by the rules, and leaves what the accepted ones ask for", async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(call as fc.Arbitrary<Call>, { minLength: 5, maxLength: 25 }), async (calls) => {
        const name = `demo-${++runs}`;
        const accessConfig = { authenticationMode: "API", bootstrapClusterCreatorAdminPermissions: false } as const;
        await rig.client.send(new CreateClusterCommand({ ...CLUSTER, name, accessConfig }));
        rig.activate(name);
        const model: Model = new Map();
        for (const step of calls) {
          expect([step, await perform(name, step)]).toEqual([step, expected(model, step)]);
        }
        const { accessEntries = [] } = await rig.client.send(new ListAccessEntriesCommand({ clusterName: name }));
        const own = accessEntries.filter((entry) => !entry.includes("aws-service-role"));
        expect(own).toEqual([...model.keys()].map(arn).sort());
        for (const [principal, { policies }] of model) {
          const listed = await rig.client.send(
            new ListAssociatedAccessPoliciesCommand({ clusterName: name, principalArn: arn(principal) }),
          );
          expect(listed.associatedAccessPolicies?.map((associated) => associated.policyArn)).toEqual(
            [...policies].map(policyArn).sort(),
          );
        }
      }),
      { numRuns: 15, seed: 7 },
    );
    expect(rig.logged).toEqual([]);
  });
});
