import { X509Certificate } from "node:crypto";
import { connect, type PeerCertificate } from "node:tls";
import {
  ActivateCertificateAuthorityCommand,
  CreateCertificateAuthorityCommand,
  CreateClusterCommand,
  DeleteCertificateAuthorityCommand,
  DescribeCertificateAuthorityCommand,
  DescribeClusterCommand,
  DescribeUpdateCommand,
  EKSClient,
  paginateListCertificateAuthorities,
} from "@aws-sdk/client-eks";
import { afterEach, describe, expect, it } from "vitest";
import type { ConfigMap } from "../../../src/kubernetes/schema/generated/types.js";
import { type Eksim, type EksimOptions, startEksim } from "../../../src/testkit/index.js";
import { CLUSTER, refusal } from "../gateway-rig.js";

let eksim: Eksim;
let client: EKSClient;

async function start(options: EksimOptions = {}): Promise<void> {
  eksim = await startEksim({ clockStart: "2026-11-22T09:00:00Z", ...options });
  client = new EKSClient({ ...eksim.clientConfig(), maxAttempts: 1 });
  await client.send(new CreateClusterCommand(CLUSTER));
  await eksim.advance("10m");
}
afterEach(async () => {
  client.destroy();
  await eksim.stop();
});

const clusterName = "demo";
const demo = async () => (await client.send(new DescribeClusterCommand({ name: "demo" }))).cluster;
const list = async () => {
  const found = [];
  for await (const page of paginateListCertificateAuthorities({ client, pageSize: 1 }, { clusterName }))
    found.push(...(page.certificateAuthorities ?? []));
  return found;
};
const show = async (certificateAuthorityId = "") =>
  (await client.send(new DescribeCertificateAuthorityCommand({ clusterName, certificateAuthorityId })))
    .certificateAuthority;
const settled = async <T extends { update?: { id?: string } }>(answer: Promise<T>): Promise<T> => {
  const given = await answer;
  await eksim.idle();
  const done = await client.send(new DescribeUpdateCommand({ name: "demo", updateId: given.update?.id }));
  expect(done.update).toMatchObject({ type: "CertificateAuthorityUpdate", status: "Successful", errors: [] });
  return given;
};
const append = () => settled(client.send(new CreateCertificateAuthorityCommand({ clusterName })));
const activate = (certificateAuthorityId = "") =>
  settled(client.send(new ActivateCertificateAuthorityCommand({ clusterName, certificateAuthorityId })));
const remove = (certificateAuthorityId = "") =>
  settled(client.send(new DeleteCertificateAuthorityCommand({ clusterName, certificateAuthorityId })));

const certificates = (pem = ""): X509Certificate[] =>
  (pem.match(/-----BEGIN[\s\S]+?-----END CERTIFICATE-----/g) ?? []).map((text) => new X509Certificate(text));
const fingerprints = (pem = ""): string[] =>
  certificates(pem)
    .map(({ fingerprint256 }) => fingerprint256)
    .sort();
const decoded = (base64 = ""): string => Buffer.from(base64, "base64").toString();
const rootCa = async (): Promise<string | undefined> => {
  const path = "/api/v1/namespaces/default/configmaps/kube-root-ca.crt";
  return (await eksim.kubernetes<ConfigMap>("demo", "GET", path)).data?.["ca.crt"];
};

/** Whether a client that trusts only `ca` gets through to the endpoint. */
async function trusts(ca: string): Promise<boolean> {
  const { hostname, port } = new URL((await demo())?.endpoint ?? "");
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), ca, rejectUnauthorized: true }, () => {
      const { issuer }: PeerCertificate = socket.getPeerCertificate();
      expect(issuer.CN).toBe("kubernetes");
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

describe("a new cluster", () => {
  it("has one certificate authority, made and activated by EKS, which signs the endpoint's certificate", async () => {
    await start();
    const [first, ...others] = await list();
    expect(others).toEqual([]);
    expect(first).toEqual({
      id: expect.stringMatching(/^ca-[0-9a-f]{17}$/),
      createdAt: new Date("2026-11-22T09:00:00Z"),
      createdBy: "EKS",
      activatedAt: new Date("2026-11-22T09:00:00Z"),
      activatedBy: "EKS",
      signingStatus: "IN_USE",
      distributionStatus: "COMPLETE",
    });
    const whole = await show(first?.id);
    expect(whole).toMatchObject({
      ...first,
      validity: { notBefore: new Date("2026-11-22T09:00:00Z"), notAfter: new Date("2036-11-19T09:00:00Z") },
      rollbackAvailable: false,
    });
    expect(whole).not.toHaveProperty("scheduledEvents");
    const { certificateAuthority } = (await demo()) ?? {};
    expect(certificateAuthority).toEqual({ data: whole?.data, active: { id: first?.id, activatedBy: "EKS" } });
    expect(await trusts(decoded(whole?.data))).toBe(true);
  });
});

describe("a rotation", () => {
  it("goes from one authority through the trust of both to the other, and the endpoint always answers who trusts the bundle", async () => {
    await start();
    const [first] = await list();
    const old = decoded((await show(first?.id))?.data);

    const appended = await append();
    expect(appended.certificateAuthority).toMatchObject({
      createdBy: "CUSTOMER",
      signingStatus: "NOT_USED",
      distributionStatus: "IN_PROGRESS",
    });
    const id = appended.certificateAuthority?.id;
    const successor = await show(id);
    expect(successor).toMatchObject({
      signingStatus: "NOT_USED",
      distributionStatus: "COMPLETE",
      scheduledEvents: {
        firstAutoActivation: new Date("2036-05-23T09:00:00Z"),
        finalAutoActivation: new Date("2036-08-21T09:00:00Z"),
      },
    });
    const fresh = decoded(successor?.data);
    const both = decoded((await demo())?.certificateAuthority?.data);
    expect(fingerprints(both)).toEqual([...fingerprints(old), ...fingerprints(fresh)].sort());
    expect(fingerprints(await rootCa())).toEqual(fingerprints(both));
    expect([await trusts(old), await trusts(fresh), await trusts(both)]).toEqual([true, false, true]);

    const activated = await activate(id);
    expect(activated.certificateAuthority?.signingStatus).toBe("ACTIVATING");
    expect([await trusts(old), await trusts(fresh), await trusts(both)]).toEqual([false, true, true]);
    expect(await list()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id, signingStatus: "IN_USE", activatedBy: "CUSTOMER" }),
        expect.objectContaining({ id: first?.id, signingStatus: "NOT_USED" }),
      ]),
    );
    expect((await demo())?.certificateAuthority?.active).toEqual({ id, activatedBy: "CUSTOMER" });
    expect((await show(id))?.rollbackAvailable).toBe(true);

    await remove(first?.id);
    expect((await list()).map((authority) => authority.id)).toEqual([id]);
    expect(fingerprints(decoded((await demo())?.certificateAuthority?.data))).toEqual(fingerprints(fresh));
    expect(fingerprints(await rootCa())).toEqual(fingerprints(fresh));
    expect(eksim.events({ cluster: "demo" }).map(({ type }) => type)).toEqual(
      expect.arrayContaining([
        "CertificateAuthorityTrusted",
        "CertificateAuthorityDistributed",
        "CertificateAuthorityActivated",
        "CertificateAuthorityRemoved",
      ]),
    );
  });

  it("can be taken back", async () => {
    await start();
    const [first] = await list();
    const { id } = (await append()).certificateAuthority ?? {};
    await activate(id);
    await activate(first?.id);
    expect(await trusts(decoded((await show(first?.id))?.data))).toBe(true);
  });

  it("outlives a restart at every step", async () => {
    const { mkdtemp, rm } = await import("node:fs/promises");
    const dataDir = await mkdtemp("/tmp/eksim-authorities-");
    try {
      await start({ dataDir });
      const again = async (): Promise<void> => {
        await eksim.stop();
        eksim = await startEksim({ dataDir });
        client.destroy();
        client = new EKSClient({ ...eksim.clientConfig(), maxAttempts: 1 });
        await eksim.idle();
      };
      const { id } = (await append()).certificateAuthority ?? {};
      await again();
      const pending = await client.send(
        new ActivateCertificateAuthorityCommand({ clusterName, certificateAuthorityId: id }),
      );
      await again();
      const done = await client.send(new DescribeUpdateCommand({ name: "demo", updateId: pending.update?.id }));
      expect(done.update?.status).toBe("Successful");
      expect(await trusts(decoded((await show(id))?.data))).toBe(true);
      expect(certificates(await rootCa())).toHaveLength(2);
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it("waits for every component to trust the successor under the aws profile", async () => {
    await start({ profile: "aws" });
    const { certificateAuthority } = await client.send(new CreateCertificateAuthorityCommand({ clusterName }));
    const id = certificateAuthority?.id;
    expect(await refusal(activate(id))).toMatchObject({ name: "ResourceInUseException" });
    await eksim.advance("1m");
    expect(await show(id)).toMatchObject({ distributionStatus: "IN_PROGRESS" });
    expect(await refusal(activate(id))).toMatchObject({
      name: "InvalidParameterException",
      message: expect.stringContaining("IN_PROGRESS"),
    });
    await eksim.advance("10m");
    expect(await show(id)).toMatchObject({ distributionStatus: "COMPLETE" });
  });
});

describe("refusals", () => {
  it("are given for a third authority, the signer's deletion, what is in use already and what is not there", async () => {
    await start();
    const [first] = await list();
    expect(await refusal(activate(first?.id))).toMatchObject({ name: "InvalidParameterException", status: 400 });
    expect(await refusal(remove(first?.id))).toMatchObject({ name: "ResourceInUseException", status: 409 });
    expect(await refusal(activate("ca-none"))).toMatchObject({
      name: "ResourceNotFoundException",
      message: "No certificate authority found for ID: ca-none.",
    });
    await append();
    expect(await refusal(append())).toMatchObject({ name: "ResourceLimitExceededException", status: 400 });
    expect(await list()).toHaveLength(2);
  });

  it("leave nothing behind: a successor that was never used can be deleted", async () => {
    await start();
    const { id } = (await append()).certificateAuthority ?? {};
    await remove(id);
    expect(await list()).toHaveLength(1);
    expect(certificates(decoded((await demo())?.certificateAuthority?.data))).toHaveLength(1);
  });
});

describe("CreateCertificateAuthority", () => {
  it("answers the same again for the same token", async () => {
    await start();
    const send = () => client.send(new CreateCertificateAuthorityCommand({ clusterName, clientRequestToken: "t" }));
    const { certificateAuthority, update } = await send();
    await eksim.idle();
    const again = await send();
    expect([again.certificateAuthority?.id, again.update?.id]).toEqual([certificateAuthority?.id, update?.id]);
    expect(await list()).toHaveLength(2);
  });
});
