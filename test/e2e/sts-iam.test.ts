/** STS and IAM of the whole program, as boto3 and the AWS CLI use them, with every signature verified. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { client, installed, type RunningEksim, runEksim } from "./process.js";

const SCRIPT = `
import boto3, json
from botocore.exceptions import ClientError
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}]})
said = {}
def refused(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        return [error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]]
iam, sts = boto3.client("iam"), boto3.client("sts")
iam.create_user(UserName="alice", Tags=[{"Key": "team", "Value": "a & b"}])
key = iam.create_access_key(UserName="alice")["AccessKey"]
alice = boto3.Session(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
said["alice"] = alice.client("sts").get_caller_identity()["Arn"]
said["tags"] = iam.list_user_tags(UserName="alice")["Tags"]
for i in range(3):
    role = iam.create_role(RoleName=f"role-{i}", Path="/e2e/", AssumeRolePolicyDocument=TRUST)["Role"]
iam.get_waiter("role_exists").wait(RoleName="role-2")
iam.update_role(RoleName="role-2", MaxSessionDuration=7200)
iam.attach_role_policy(RoleName="role-2", PolicyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
pages = iam.get_paginator("list_roles").paginate(PathPrefix="/e2e/", PaginationConfig={"PageSize": 2})
said["roles"] = [found["RoleName"] for page in pages for found in page["Roles"]]
said["trust"] = iam.get_role(RoleName="role-2")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
given = alice.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="run-7")["Credentials"]
keys = {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"]}
session = boto3.Session(**keys, aws_session_token=given["SessionToken"])
said["session"] = session.client("sts").get_caller_identity()["Arn"]
said["clusters"] = session.client("eks").list_clusters()["clusters"]
said["without token"] = refused(boto3.Session(**keys).client("sts").get_caller_identity)
said["wrong secret"] = refused(boto3.Session(aws_access_key_id="test", aws_secret_access_key="no").client("sts").get_caller_identity)
said["wrong secret of eks"] = refused(boto3.Session(aws_access_key_id="test", aws_secret_access_key="no").client("eks").list_clusters)
said["no role"] = refused(iam.get_role, RoleName="nobody")
said["conflict"] = refused(iam.delete_role, RoleName="role-2")
iam.delete_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"])
said["deleted key"] = refused(alice.client("sts").get_caller_identity)
provider = iam.create_open_id_connect_provider(Url="https://issuer.example/realm", ClientIDList=["a"])["OpenIDConnectProviderArn"]
said["provider"] = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)["ClientIDList"]
print(json.dumps(said))
`;

let eksim: RunningEksim;
beforeAll(async () => {
  eksim = await runEksim(["--data-dir", ":memory:", "--verify-signatures", "--log-level", "error"]);
});
afterAll(() => eksim.end());

const environment = (): Record<string, string> => ({
  AWS_ENDPOINT_URL: eksim.endpoint,
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_REGION: "eu-west-1",
  AWS_DEFAULT_REGION: "eu-west-1",
  AWS_PAGER: "",
});

describe.skipIf(!installed("python3", ["-c", "import boto3"]))("boto3", () => {
  it("makes users and roles, assumes them, and hears refusals under their own codes", async () => {
    expect(JSON.parse(await client("python3", ["-c", SCRIPT], environment()))).toEqual({
      alice: "arn:aws:iam::000000000000:user/alice",
      tags: [{ Key: "team", Value: "a & b" }],
      roles: ["role-0", "role-1", "role-2"],
      trust: { AWS: "000000000000" },
      session: "arn:aws:sts::000000000000:assumed-role/role-2/run-7",
      clusters: [],
      "without token": ["InvalidClientTokenId", 403],
      "wrong secret": ["SignatureDoesNotMatch", 403],
      "wrong secret of eks": ["InvalidSignatureException", 403],
      "no role": ["NoSuchEntity", 404],
      conflict: ["DeleteConflict", 409],
      "deleted key": ["InvalidClientTokenId", 403],
      provider: ["a"],
    });
    expect(eksim.stderr()).toBe("");
  }, 120_000);
});

describe.skipIf(!installed("aws", ["--version"]))("the AWS CLI", () => {
  it("says who it is, and becomes another", async () => {
    const aws = async (...args: string[]) =>
      JSON.parse(await client("aws", [...args, "--output", "json"], environment()));
    expect(await aws("sts", "get-caller-identity")).toMatchObject({ Arn: "arn:aws:iam::000000000000:user/test" });
    const session = await aws(
      "sts",
      "assume-role",
      "--role-arn",
      "arn:aws:iam::000000000000:role/any",
      "--role-session-name",
      "me",
    );
    expect(session.AssumedRoleUser.Arn).toBe("arn:aws:sts::000000000000:assumed-role/any/me");
  }, 120_000);
});
