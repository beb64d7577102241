import { describe, expect, it } from "vitest";
import { checkEksToken } from "../../src/identity/eks-token.js";
import { refuteTokenSignature } from "../../src/identity/eks-token-signature.js";
import { createEksToken } from "../../src/identity/sigv4-signer.js";

const NOW = Date.parse("2026-11-22T10:00:00Z");

function presigned(
  changes: Record<string, string | undefined> = {},
  base = "https://sts.us-east-1.amazonaws.com/",
): string {
  const parameters: Record<string, string | undefined> = {
    Action: "GetCallerIdentity",
    Version: "2011-06-15",
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "AKIDEXAMPLE/20261122/us-east-1/sts/aws4_request",
    "X-Amz-Date": "20261122T095500Z",
    "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host;x-k8s-aws-id",
    "X-Amz-Signature": "a".repeat(64),
    ...changes,
  };
  const url = new URL(base);
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.append(name, value);
  return url.href;
}

const token = (url: string): string => `k8s-aws-v1.${Buffer.from(url).toString("base64url")}`;

describe("EKS tokens", () => {
  it("accepts what `aws eks get-token` makes and reads the access key and region from it", () => {
    expect(checkEksToken(token(presigned()), [NOW])).toEqual({
      claims: { accessKeyId: "AKIDEXAMPLE", region: "us-east-1", signedAtMs: Date.parse("2026-11-22T09:55:00Z") },
    });
  });

  it("accepts a local endpoint that stands in for STS, as the CLI signs for with AWS_ENDPOINT_URL", () => {
    for (const base of [
      "http://127.0.0.1:4566/",
      "http://localhost:9/",
      "https://[::1]:4566/",
      "http://eks.localhost:4566/",
    ]) {
      expect(checkEksToken(token(presigned({}, base)), [NOW])).toHaveProperty("claims");
    }
    expect(checkEksToken(token(presigned({}, "http://eksim.test:4566/")), [NOW], "eksim.test")).toHaveProperty(
      "claims",
    );
    expect(checkEksToken(token(presigned({}, "http://127.0.0.1.evil.example/")), [NOW])).toHaveProperty("error");
  });

  it.each([
    ["an unknown prefix", `k8s-aws-v2.${Buffer.from(presigned()).toString("base64url")}`, /prefix/],
    ["padding", `k8s-aws-v1.${Buffer.from("https://a").toString("base64")}==`, /base64url/],
    ["something that is no URL", token("hello"), /URL/],
    ["plain http", token(presigned({}, "http://sts.us-east-1.amazonaws.com/")), /scheme/],
    ["a host that is not STS", token(presigned({}, "https://sts.evil.example/")), /hostname/],
    ["a host that only ends like STS", token(presigned({}, "https://evil-sts.us-east-1.amazonaws.com/")), /hostname/],
    ["a path", token(presigned({}, "https://sts.us-east-1.amazonaws.com/x")), /path/],
    ["another action", token(presigned({ Action: "AssumeRole" })), /action/],
    ["an unsigned cluster header", token(presigned({ "X-Amz-SignedHeaders": "host" })), /x-k8s-aws-id/],
    ["a life of more than 15 minutes", token(presigned({ "X-Amz-Expires": "901" })), /X-Amz-Expires/],
    ["a life that is no number", token(presigned({ "X-Amz-Expires": "1e2" })), /X-Amz-Expires/],
    ["no date", token(presigned({ "X-Amz-Date": undefined })), /X-Amz-Date/],
    ["a date 16 minutes old", token(presigned({ "X-Amz-Date": "20261122T094400Z" })), /expired/],
    ["a date in the far future", token(presigned({ "X-Amz-Date": "20261122T110000Z" })), /expired/],
    ["user information", token(presigned({}, "https://a:b@sts.us-east-1.amazonaws.com/")), /hostname/],
    ["a port", token(presigned({}, "https://sts.us-east-1.amazonaws.com:8443/")), /hostname/],
    ["a broken escape", token(`${presigned()}%zz`), /malformed query/],
    ["another algorithm", token(presigned({ "X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256" })), /IncompleteSignature/],
    ["another version", token(presigned({ Version: "2010-05-08" })), /InvalidAction/],
    [
      "a scope of another day",
      token(presigned({ "X-Amz-Credential": "A/20261121/us-east-1/sts/aws4_request" })),
      /Date in Credential scope does not match/,
    ],
    ["a rest of base64url that is no byte", `k8s-aws-v1.${"a".repeat(41)}`, /base64url/],
    ["a foreign parameter", token(presigned({ RoleArn: "x" })), /non-whitelisted/],
    ["a repeated parameter in other case", token(`${presigned()}&action=GetCallerIdentity`), /multiple/],
    [
      "another service's scope",
      token(presigned({ "X-Amz-Credential": "A/20261122/us-east-1/s3/aws4_request" })),
      /Credential/,
    ],
    ["a token over 4096 bytes", token(`${presigned()}&Version=${"v".repeat(4096)}`), /large/],
  ])("refuses %s", (_what, bad, why) => {
    const result = checkEksToken(bad, [NOW]);
    expect("error" in result && result.error).toMatch(why);
  });

  it.each<[string, string, boolean]>([
    ["aws", "sts.amazonaws.com", true],
    ["aws", "sts-fips.us-east-1.amazonaws.com", true],
    ["aws", "sts.eu-west-1.api.aws", true],
    ["aws", "sts.us-gov-west-1.amazonaws.com", false],
    ["aws", "sts.cn-north-1.amazonaws.com.cn", false],
    ["aws", "sts.us-east-1.amazonaws.com.cn", false],
    ["aws-us-gov", "sts.us-gov-west-1.amazonaws.com", true],
    ["aws-us-gov", "sts.amazonaws.com", false],
    ["aws-us-gov", "sts.us-east-1.amazonaws.com", false],
    ["aws-cn", "sts.cn-north-1.amazonaws.com.cn", true],
    ["aws-cn", "sts.cn-northwest-1.api.amazonwebservices.com.cn", true],
    ["aws-cn", "sts.cn-north-1.amazonaws.com", false],
    ["aws-cn", "sts-fips.cn-north-1.amazonaws.com.cn", false],
    ["aws-cn", "sts.amazonaws.com", false],
  ])("in partition %s takes the host %s: %s", (partition, host, taken) => {
    const result = checkEksToken(token(presigned({}, `https://${host}/`)), [NOW], undefined, partition);
    expect("claims" in result).toBe(taken);
    if ("error" in result) expect(result.error).toContain("unexpected hostname");
  });

  it("is fresh by either clock where simulated time runs apart from the machine's", () => {
    const yearsAhead = NOW + 1000 * 3600_000;
    expect(checkEksToken(token(presigned()), [yearsAhead])).toHaveProperty("error");
    expect(checkEksToken(token(presigned()), [yearsAhead, NOW])).toHaveProperty("claims");
  });
});

describe("the signature of an EKS token, when it is verified", () => {
  const signed = createEksToken({
    clusterName: "demo",
    region: "us-east-1",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "right" },
    nowMs: NOW,
  });
  const known = { clusterName: "demo", accessKeyId: "AKIDEXAMPLE", secret: "right" };

  it("is right for its cluster and its key's secret", () => {
    expect(refuteTokenSignature(signed, known)).toBeUndefined();
  });

  const CLI_URL = [
    "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256",
    "X-Amz-Credential=test%2F20261122%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20261122T103235Z&X-Amz-Expires=60",
    "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id",
    "X-Amz-Signature=d74ffb56b96eb59131debd1a4dd9b8fea039067f338fdd8191da0414dc5c8035",
  ].join("&");

  // Signed by botocore for `aws eks get-token --cluster-name demo` with the secret `test`.
  it("is right as the AWS CLI makes it", () => {
    expect(refuteTokenSignature(token(CLI_URL), { clusterName: "demo", accessKeyId: "test", secret: "test" })).toBe(
      undefined,
    );
  });

  it.each([
    ["another secret", signed, { ...known, secret: "wrong" }],
    ["no secret at all", signed, { ...known, secret: undefined }],
    ["another cluster", signed, { ...known, clusterName: "other" }],
    ["no signature to speak of", token(presigned()), known],
    ["a header that nobody sends", token(presigned({ "X-Amz-SignedHeaders": "host;x-k8s-aws-id;x-more" })), known],
  ])("is wrong with %s", (_, bad, with_) => {
    expect(refuteTokenSignature(bad, with_)).toHaveProperty("error");
  });
});
