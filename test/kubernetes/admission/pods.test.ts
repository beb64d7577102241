import { beforeEach, describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import type { Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { pod, refusal, type SimulatedApi, startApi } from "../auth/simulated-api.js";

let world: SimulatedApi;
beforeEach(async () => {
  world = await startApi({ bare: true });
});

const make = (resource: string, metadata: object, rest: object = {}) =>
  world.api.create(resource, { metadata, ...rest } as unknown as KubeObject);
const createPod = (spec: object = {}, metadata: object = {}, name = "p") =>
  world.api.create<Pod>(
    "pods",
    pod(name, spec as Record<string, unknown>, metadata as Record<string, unknown>) as never,
  );

describe("ServiceAccount", () => {
  it("mounts a short-lived token, the CA and the namespace in every container", async () => {
    const { spec } = await createPod({ initContainers: [{ name: "init", image: "i" }] });
    const [volume] = spec?.volumes ?? [];
    expect(volume?.name).toMatch(/^kube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(volume?.projected).toEqual({
      defaultMode: 420,
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downwardAPI: {
            items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
          },
        },
      ],
    });
    const mount = { name: volume?.name, readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" };
    expect(spec?.containers[0]?.volumeMounts).toEqual([mount]);
    expect(spec?.initContainers?.[0]?.volumeMounts).toEqual([mount]);
  });

  it("leaves a mount of the pod's own at that place alone", async () => {
    const volumeMounts = [{ name: "mine", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }];
    const { spec } = await createPod({
      volumes: [{ name: "mine" }],
      containers: [{ name: "a", image: "a", volumeMounts }],
    });
    expect(spec?.volumes).toHaveLength(1);
  });

  it.each([
    ["pod", { automountServiceAccountToken: false }, {}],
    ["account", {}, { automountServiceAccountToken: false }],
  ])("mounts nothing when the %s says so", async (_who, spec, account) => {
    await make("serviceaccounts", { name: "quiet", namespace: "default" }, account);
    expect((await createPod({ ...spec, serviceAccountName: "quiet" })).spec?.volumes).toBeUndefined();
  });

  it("takes the account's image pull secrets and refuses unknown accounts", async () => {
    await make("serviceaccounts", { name: "puller", namespace: "default" }, { imagePullSecrets: [{ name: "s" }] });
    expect((await createPod({ serviceAccountName: "puller" })).spec?.imagePullSecrets).toEqual([{ name: "s" }]);
    expect(await refusal(createPod({ serviceAccountName: "nobody" }, {}, "q"))).toBe(
      'pods "q" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
    );
  });

  it("never writes to the template that a pod was made from", async () => {
    const template = Object.freeze({
      containers: Object.freeze([
        Object.freeze({ name: "a", image: "a", resources: Object.freeze({ limits: Object.freeze({ cpu: "1" }) }) }),
      ]),
    });
    const created = await createPod(template);
    expect(created.spec?.containers[0]?.resources?.requests).toEqual({ cpu: "1" });
    expect(template.containers[0]).toEqual({ name: "a", image: "a", resources: { limits: { cpu: "1" } } });
  });
});

describe("NamespaceLifecycle", () => {
  it("refuses content of namespaces that are not there", async () => {
    expect(await refusal(createPod({}, { namespace: "nowhere" }))).toBe('namespaces "nowhere" not found');
  });

  it("refuses new content of a namespace that is going, with its own cause", async () => {
    await make("namespaces", { name: "going" });
    await world.api.delete("namespaces", { name: "going" });
    const refused = make("configmaps", { name: "c", namespace: "going" });
    await expect(refused).rejects.toMatchObject({
      code: 403,
      message:
        'configmaps "c" is forbidden: unable to create new content in namespace going because it is being terminated',
      details: {
        causes: [
          {
            reason: "NamespaceTerminating",
            message: "namespace going is being terminated",
            field: "metadata.namespace",
          },
        ],
      },
    });
  });

  it.each(["default", "kube-system", "kube-public"])("keeps %s from being deleted", async (name) => {
    expect(await refusal(world.api.delete("namespaces", { name }))).toBe(
      `namespaces "${name}" is forbidden: this namespace may not be deleted`,
    );
  });
});

describe("Priority", () => {
  beforeEach(() =>
    make("priorityclasses.scheduling.k8s.io", { name: "high" }, { value: 1000, preemptionPolicy: "Never" }),
  );

  it("resolves the class", async () => {
    expect((await createPod({ priorityClassName: "high" })).spec).toMatchObject({
      priority: 1000,
      preemptionPolicy: "Never",
    });
  });

  it("takes the global default for pods without a class, of which there can be one", async () => {
    await make("priorityclasses.scheduling.k8s.io", { name: "usual" }, { value: 7, globalDefault: true });
    expect((await createPod()).spec).toMatchObject({ priority: 7, priorityClassName: "usual" });
    expect(
      await refusal(make("priorityclasses.scheduling.k8s.io", { name: "other" }, { value: 8, globalDefault: true })),
    ).toContain("PriorityClass usual is already marked as default. Only one default can exist");
  });

  it("refuses unknown classes and numbers of the pod's own", async () => {
    expect(await refusal(createPod({ priorityClassName: "none" }))).toBe(
      'pods "p" is forbidden: no PriorityClass with name none was found',
    );
    expect(await refusal(createPod({ priority: 5 }))).toContain(
      "the integer value of priority (5) must not be provided in pod spec",
    );
  });
});

describe("DefaultTolerationSeconds", () => {
  it("gives five minutes on nodes that are not ready or not reachable", async () => {
    expect((await createPod()).spec?.tolerations).toEqual([
      { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
      { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
    ]);
  });

  it.each([
    [{ key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 }, 2],
    [{ operator: "Exists" }, 1],
    [{ key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoSchedule" }, 3],
  ])("adds to %j up to %d tolerations", async (toleration, count) => {
    expect((await createPod({ tolerations: [toleration] })).spec?.tolerations).toHaveLength(count);
  });
});

describe("RuntimeClass", () => {
  it("adds overhead and placement of the class", async () => {
    await make(
      "runtimeclasses.node.k8s.io",
      { name: "vm" },
      { handler: "kata", overhead: { podFixed: { cpu: "250m" } }, scheduling: { nodeSelector: { kata: "yes" } } },
    );
    expect((await createPod({ runtimeClassName: "vm" })).spec).toMatchObject({
      overhead: { cpu: "250m" },
      nodeSelector: { kata: "yes" },
    });
    expect(await refusal(createPod({ runtimeClassName: "vm", nodeSelector: { kata: "no" } }, {}, "q"))).toContain(
      "conflict: runtimeClass.scheduling.nodeSelector[kata] = yes",
    );
    expect(await refusal(createPod({ runtimeClassName: "none" }, {}, "r"))).toContain('RuntimeClass "none" not found');
  });
});

describe("LimitRanger", () => {
  const limit = (item: object) =>
    make("limitranges", { name: "l", namespace: "default" }, { spec: { limits: [item] } });

  it("completes what containers leave open", async () => {
    await limit({ type: "Container", default: { cpu: "500m", memory: "512Mi" }, defaultRequest: { cpu: "100m" } });
    expect((await createPod()).spec?.containers[0]?.resources).toEqual({
      limits: { cpu: "500m", memory: "512Mi" },
      requests: { cpu: "100m", memory: "512Mi" },
    });
    const own = { limits: { cpu: "200m" } };
    const { spec } = await createPod({ containers: [{ name: "a", image: "a", resources: own }] }, {}, "q");
    expect(spec?.containers[0]?.resources).toMatchObject({ limits: { cpu: "200m" }, requests: { cpu: "200m" } });
  });

  it.each([
    [
      { type: "Container", max: { cpu: "1" } },
      { limits: { cpu: "2" } },
      "maximum cpu usage per Container is 1, but limit is 2",
    ],
    [
      { type: "Container", min: { memory: "64Mi" }, defaultRequest: { memory: "64Mi" } },
      { requests: { memory: "1Mi" } },
      "minimum memory usage per Container is 64Mi, but request is 1Mi",
    ],
    [{ type: "Pod", max: { cpu: "1" } }, { limits: { cpu: "2" } }, "maximum cpu usage per Pod is 1, but limit is 2"],
    [
      { type: "Container", maxLimitRequestRatio: { cpu: "2" } },
      { limits: { cpu: "1" }, requests: { cpu: "100m" } },
      "cpu max limit to request ratio per Container is 2, but provided ratio is 10.000000",
    ],
  ])("under %j refuses %j", async (item, resources, message) => {
    await limit(item);
    expect(await refusal(createPod({ containers: [{ name: "a", image: "a", resources }] }))).toContain(message);
  });
});

describe("ResourceQuota", () => {
  const quota = (hard: object, more: object = {}) =>
    make("resourcequotas", { name: "q", namespace: "default" }, { spec: { hard, ...more } });
  const cpu = (amount: string) => ({
    containers: [{ name: "a", image: "a", resources: { requests: { cpu: amount } } }],
  });

  it("lets in what fits and refuses the rest, telling the sums", async () => {
    await quota({ "requests.cpu": "1", pods: "5" });
    await createPod(cpu("600m"), {}, "one");
    expect(await refusal(createPod(cpu("600m"), {}, "two"))).toBe(
      'pods "two" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1',
    );
    expect(await refusal(createPod(cpu("400m"), {}, "three"))).toBe("(no refusal)");
  });

  it("holds also when many come at once", async () => {
    await quota({ pods: "3" });
    const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => refusal(createPod({}, {}, `p${index}`))));
    expect(answers.filter((answer) => answer === "(no refusal)")).toHaveLength(3);
  });

  it("makes pods say what they want", async () => {
    await quota({ "requests.cpu": "1", "limits.memory": "1Gi" });
    expect(await refusal(createPod())).toContain(
      "failed quota: q: must specify limits.memory for: app; requests.cpu for: app",
    );
  });

  it("counts objects of any kind, and finished pods no more", async () => {
    await quota({ "count/configmaps": "1", pods: "1", "count/deployments.apps": "0" });
    await make("configmaps", { name: "a", namespace: "default" });
    expect(await refusal(make("configmaps", { name: "b", namespace: "default" }))).toContain(
      "exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=1, limited: count/configmaps=1",
    );
    const first = await createPod({}, {}, "one");
    await world.api.updateStatus<Pod>("pods", { ...first, status: { ...first.status, phase: "Succeeded" } });
    expect(await refusal(createPod({}, {}, "two"))).toBe("(no refusal)");
  });

  it("with scopes speaks about some pods only", async () => {
    await quota({ pods: "0" }, { scopes: ["BestEffort"] });
    expect(await refusal(createPod())).toContain("exceeded quota");
    expect(await refusal(createPod(cpu("1"), {}, "burstable"))).toBe("(no refusal)");
  });

  it("counts services by type", async () => {
    await quota({ "services.nodeports": "1" });
    const service = (name: string) =>
      make("services", { name, namespace: "default" }, { spec: { type: "NodePort", ports: [{ port: 80 }] } });
    await service("a");
    expect(await refusal(service("b"))).toContain("exceeded quota: q, requested: services.nodeports=1");
  });
});

describe("PodSecurity", () => {
  const secure = (level: string) =>
    make("namespaces", { name: "secure", labels: { "pod-security.kubernetes.io/enforce": level } });
  const inSecure = async (spec: object) => {
    await make("serviceaccounts", { name: "default", namespace: "secure" });
    return refusal(createPod(spec, { namespace: "secure" }));
  };
  const hardened = {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
    runAsNonRoot: true,
    seccompProfile: { type: "RuntimeDefault" },
  };

  it("names everything that restricted forbids", async () => {
    await secure("restricted");
    expect(await inSecure({})).toBe(
      'pods "p" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "app" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "app" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
  });

  it.each([
    ["restricted", { containers: [{ name: "a", image: "a", securityContext: hardened }] }, "(no refusal)"],
    ["baseline", {}, "(no refusal)"],
    ["baseline", { hostNetwork: true }, "host namespaces (hostNetwork=true)"],
    [
      "baseline",
      { containers: [{ name: "a", image: "a", securityContext: { privileged: true } }] },
      'privileged (container "a" must not set securityContext.privileged=true)',
    ],
    [
      "baseline",
      { containers: [{ name: "a", image: "a", securityContext: { capabilities: { add: ["NET_ADMIN"] } } }] },
      'non-default capabilities (container "a" must not include "NET_ADMIN" in securityContext.capabilities.add)',
    ],
    ["baseline", { volumes: [{ name: "v", hostPath: { path: "/" } }] }, 'hostPath volumes (volume "v")'],
    [
      "baseline",
      { containers: [{ name: "a", image: "a", ports: [{ containerPort: 1, hostPort: 80 }] }] },
      'hostPort (container "a" uses hostPort 80)',
    ],
    [
      "restricted",
      {
        volumes: [{ name: "v", hostPath: { path: "/" } }],
        containers: [{ name: "a", image: "a", securityContext: hardened }],
      },
      'restricted volume types (volume "v" uses restricted volume type "hostPath")',
    ],
    ["privileged", { hostPID: true }, "(no refusal)"],
  ])("%s judges %j", async (level, spec, message) => {
    await secure(level);
    expect(await inSecure(spec)).toContain(message);
  });

  it("knows three levels only", async () => {
    expect(await refusal(secure("paranoid"))).toContain(
      'Invalid value: "paranoid": must be one of privileged, baseline, restricted',
    );
  });
});
