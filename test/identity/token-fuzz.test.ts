import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ClusterRecord } from "../../src/domain/model.js";
import { createClusterAccess } from "../../src/identity/cluster-access.js";
import { createEksToken } from "../../src/identity/sigv4-signer.js";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const CLUSTER = {
  id: "A",
  name: "demo",
  region: "us-east-1",
  accountId: "000000000000",
  creatorArn: "arn:aws:iam::000000000000:user/test",
  accessConfig: { authenticationMode: "CONFIG_MAP" },
} as unknown as ClusterRecord;

const accessOf = (cluster: ClusterRecord, verifySignatures = true) =>
  createClusterAccess({
    cluster: () => cluster,
    entryOf: () => undefined,
    privateDnsNameOf: () => undefined,
    clock: { kind: "real", now: () => NOW, wallNow: () => NOW },
    verifySignatures,
    directory: {
      identify: (accessKeyId) =>
        accessKeyId === "test"
          ? {
              principal: {
                accountId: "000000000000",
                arn: "arn:aws:iam::000000000000:user/test",
                userId: "AIDATEST",
                accessKeyId,
              },
              secretAccessKey: "secret",
            }
          : { refusal: "unknown-key" },
      uniqueIdOf: () => "AIDATEST",
    },
  });

const PREFIX = "k8s-aws-v1.";
const tokenFor = (clusterName = "demo", secretAccessKey = "secret"): string =>
  createEksToken({
    clusterName,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey },
    nowMs: NOW - 60_000,
  });
const GOOD = tokenFor();
const urlOf = (token: string): string => Buffer.from(token.slice(PREFIX.length), "base64url").toString("utf8");
const tokenOf = (url: string): string => PREFIX + Buffer.from(url).toString("base64url");
/** What STS would have been asked. */
const questionOf = (token: string): string => {
  const url = new URL(urlOf(token));
  url.searchParams.sort();
  return url.href;
};

describe("an EKS token that was tampered with", () => {
  const { authenticate, refusals } = accessOf(CLUSTER);
  /** Either refused, or another spelling of the very same question. */
  const expectRefused = (token: string): void => {
    const result = authenticate(token, () => undefined);
    if (result && "user" in result) expect(questionOf(token)).toBe(questionOf(GOOD));
    else if (result) expect(result.error).not.toBe("");
  };

  it("is good before", () => {
    expect(authenticate(GOOD, () => undefined)).toMatchObject({
      user: { uid: "aws-iam-authenticator:000000000000:AIDATEST" },
    });
  });

  it("is refused whichever character of it is another", () => {
    const index = fc.integer({ min: 0, max: GOOD.length - 1 });
    const character = fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. %\n");
    fc.assert(
      fc.property(index, character, (at, other) => {
        expectRefused(GOOD.slice(0, at) + other + GOOD.slice(at + 1));
      }),
      { numRuns: 2_000, seed: 1 },
    );
  });

  it("is refused whichever character of the URL in it is another, missing or there twice", () => {
    const url = urlOf(GOOD);
    const index = fc.integer({ min: 0, max: url.length - 1 });
    const other = fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom("%00", "\r\n", "&", "#", "@", "é", "\0", "%"));
    fc.assert(
      fc.property(index, other, fc.boolean(), (at, text, insert) => {
        expectRefused(tokenOf(url.slice(0, at) + text + url.slice(at + (insert ? 0 : 1))));
      }),
      { numRuns: 3_000, seed: 2 },
    );
  });

  it("is refused with any other parameter, host, path, scheme or user", () => {
    const url = urlOf(GOOD);
    const changes: [from: string | RegExp, to: string][] = [
      ["Action=GetCallerIdentity", "Action=AssumeRole"],
      ["https:", "http:"],
      ["https://", "https://user:password@"],
      ["sts.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com.example.com"],
      ["sts.us-east-1.amazonaws.com", "example.com"],
      ["sts.us-east-1.amazonaws.com", "sts.eu-west-1.amazonaws.com"],
      ["sts.us-east-1.amazonaws.com", "sts.cn-north-1.amazonaws.com.cn"],
      ["sts.us-east-1.amazonaws.com", "127.0.0.1.example.com"],
      ["sts.us-east-1.amazonaws.com", "169.254.169.254"],
      ["sts.us-east-1.amazonaws.com/", "sts.us-east-1.amazonaws.com/x"],
      ["X-Amz-Expires=60", "X-Amz-Expires=901"],
      ["X-Amz-Expires=60", "X-Amz-Expires=-1"],
      ["X-Amz-Expires=60", "X-Amz-Expires=61"],
      ["host%3Bx-k8s-aws-id", "host"],
      ["host%3Bx-k8s-aws-id", "host%3Bx-k8s-aws-id%3Bx-other"],
      [/X-Amz-Signature=[0-9a-f]+/, "X-Amz-Signature="],
      [/&X-Amz-Signature=[0-9a-f]+/, ""],
      [/X-Amz-Signature=[0-9a-f]+/, `X-Amz-Signature=${"0".repeat(64)}`],
      [/X-Amz-Date=\d{8}T\d{6}Z/, "X-Amz-Date=20261122T115930Z"],
      [/X-Amz-Date=\d{8}T\d{6}Z/, "X-Amz-Date=99999999T999999Z"],
      ["Credential=test", "Credential=other"],
      [/$/, "&X-Amz-Expires=60"],
      [/$/, "&x-amz-date=20261122T115900Z"],
      [/$/, "&RoleArn=arn:aws:iam::000000000000:role/admin"],
      [/$/, "#fragment"],
    ];
    for (const [from, to] of changes) {
      const changed = url.replace(from, to);
      expect(changed, String(from)).not.toBe(url);
      expect(
        authenticate(tokenOf(changed), () => undefined),
        `${from} -> ${to}`,
      ).toEqual({
        error: expect.stringMatching(/./),
      });
    }
  });

  it("is refused of any length, without a look at what is too long", () => {
    for (const length of [0, 1, 2, 4_084, 4_086, 5_000, 1_000_000])
      expect(authenticate(PREFIX + "a".repeat(length), () => undefined)).toHaveProperty("error");
    expect(authenticate(`${GOOD}${"A".repeat(8_000)}`, () => undefined)).toHaveProperty(
      "error",
      expect.stringContaining("too large"),
    );
  });

  it("never throws, whatever it is", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: "binary" }), fc.boolean(), (text, asUrl) => {
        const result = authenticate(asUrl ? tokenOf(text) : PREFIX + text, () => undefined);
        expect(result).toHaveProperty("error");
      }),
      { numRuns: 1_000, seed: 3 },
    );
  });

  it("leaves nothing of itself in the explanations", () => {
    const [, signature = ""] = /X-Amz-Signature=([0-9a-f]{64})/.exec(urlOf(GOOD)) ?? [];
    authenticate(tokenFor("demo", "wrong"), () => undefined);
    const explained = JSON.stringify(refusals());
    expect(explained).not.toContain(PREFIX);
    expect(explained).not.toContain(signature);
    expect(explained).not.toMatch(/[0-9a-f]{64}/);
  });
});

describe("an EKS token that is right somewhere else", () => {
  const refusalOf = (token: string, cluster = CLUSTER): string => {
    const result = accessOf(cluster).authenticate(token, () => undefined);
    return result && "error" in result ? result.error : "accepted";
  };

  it("is refused by any cluster of another name", () => {
    expect(refusalOf(GOOD)).toBe("accepted");
    expect(refusalOf(GOOD, { ...CLUSTER, name: "other" })).toContain("SignatureDoesNotMatch");
    expect(refusalOf(tokenFor("other"))).toContain("SignatureDoesNotMatch");
    expect(refusalOf(tokenFor("Demo"))).toContain("SignatureDoesNotMatch");
  });

  it("is refused with another secret and for a key that nobody has", () => {
    expect(refusalOf(tokenFor("demo", "guessed"))).toContain("SignatureDoesNotMatch");
    const stranger = createEksToken({
      clusterName: "demo",
      region: "us-east-1",
      credentials: { accessKeyId: "AKIANOBODY", secretAccessKey: "secret" },
      nowMs: NOW,
    });
    expect(refusalOf(stranger)).toContain("InvalidClientTokenId");
  });

  it("is refused in another partition", () => {
    expect(refusalOf(GOOD, { ...CLUSTER, region: "cn-north-1" })).toContain("hostname");
  });

  it("is still refused after a good one of the same key was remembered", () => {
    const { authenticate } = accessOf(CLUSTER);
    authenticate(GOOD, () => undefined);
    const forged = GOOD.slice(0, -4) + (GOOD.endsWith("AAAA") ? "BBBB" : "AAAA");
    expect(authenticate(forged, () => undefined)).toHaveProperty("error");
  });
});
